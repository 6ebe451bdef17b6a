"""What `kdbench extend` asks for, as changes of the plan; real steps of the methods that join, on eight images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.data import Prepared, prepare
from kdbench.detectors import teachers
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.planning.extending import extension
from kdbench.specs.space import load_space
from kdbench.specs.study import Arm, StudyPlan
from kdbench.specs.task import load_task
from tests.unit.search.playing import Formula, played

TASK = load_task(
    "shapes",
    {
        "dataset.image_size": [64, 64],
        "dataset.train.size": 8,
        "dataset.search.size": 2,
        "dataset.report.size": 2,
        "pipeline.image_scale": [64, 64],
    },
)
PLAIN = TASK.model_copy(update={"baseline": TASK.baseline.model_copy(update={"search": (), "trials": 1})})
NARROW = "method: {}\nparams: {{{}: {{uniform: [1, 2]}}}}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def data(home: Path) -> Prepared:
    return prepare(TASK.dataset, home, None)


def study(*names: str, **changes: Any) -> StudyPlan:
    """With the methods' shipped spaces; LGD is the one that has no teacher."""
    arms = tuple(
        Arm(
            name=name,
            method=name,
            taught=name != "lgd",
            space=load_space(name),
            defaults=registry.get(name).Params().plain(),
        )
        for name in names
    )
    reference = teachers.trained_teacher(TASK) if any(arm.taught for arm in arms) else None
    values = {"study": "s", "task": TASK, "arms": arms, "detector": "one_stage", "trials": 6, "teacher": reference}
    return StudyPlan.model_validate({**values, "teacher_train": reference is not None, **changes})


def asked(plan: StudyPlan, data: Prepared, home: Path, **more: Any) -> dict[str, Any]:
    """The changes, which the plan takes."""
    changes = extension(plan, data, home, None, **more)
    plan.changed(changes, "extend")
    return changes


def refused(plan: StudyPlan, data: Prepared, home: Path, **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        extension(plan, data, home, None, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("more", "changes"),
    [
        ({"trials": 3}, {"trials": 9}),
        ({"seeds": 3}, {"seeds": 3}),
        ({"finalists": 1}, {"finalists": 1}),
        ({"resources": {"cpus": 0.5}}, {"resources": {"concurrent": None, "cpus": 0.5, "gpus": 0.0}}),
        ({"trials": 1, "seeds": 2}, {"trials": 7, "seeds": 2}),
    ],
)
def test_each_option_changes_its_own_key(
    data: Prepared, home: Path, more: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert asked(study("defeat", "fgd"), data, home, **more) == changes


def test_hours_come_on_top_of_hours_and_trials_of_trials(data: Prepared, home: Path) -> None:
    hours = study("defeat", trials=None, hours=2.0)
    assert asked(hours, data, home, hours=1.5) == {"hours": 3.5}
    assert refused(hours, data, home, trials=3) == "--trials: study s has a budget of hours alone; give --hours"
    assert refused(study("defeat"), data, home, hours=1.0).endswith("has a budget of trials alone; give --trials")
    both = study("defeat", hours=2.0)
    assert asked(both, data, home, trials=1, hours=1.0) == {"trials": 7, "hours": 3.0}


def test_more_finalists_than_methods_are_all_of_them(data: Prepared, home: Path) -> None:
    plan = study("defeat", "fgd")
    assert plan.changed(asked(plan, data, home, finalists=9), "extend").race == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "nothing to add; give --trials, --hours, --seeds, --finalists, --add or --space"),
        ({"trials": 0}, "--trials 0: must be at least 1"),
        ({"trials": -3}, "--trials -3: must be at least 1"),
        ({"trials": 1.5}, "extend: key 'trials': input should be a valid integer"),
        ({"hours": 0.0}, "--hours 0: must be above 0"),
        ({"hours": -2.0}, "--hours -2: must be above 0"),
        ({"hours": float("nan")}, "extend: key 'hours': must be a finite number"),
        ({"finalists": 0}, "--finalists 0: must be at least 1"),
        ({"seeds": 0}, "--seeds 0: must be at least 1"),
        ({"seeds": 2}, "--seeds 2: the study has 4 already; give more"),
        ({"resources": {"cpus": -1}}, "--set: key 'cpus': input should be greater than 0 (given: -1)"),
        ({"resources": {"cpus": 5000}}, "a trial needs 5000 CPU"),
        ({"add": ["all"]}, "--add all: name methods that study s does not have yet"),
        ({"add": ["fgd"]}, "--add fgd: name methods that study s does not have yet"),
        ({"add": ["none"]}, "--add none: name methods"),
        ({"add": ["pdk"]}, "unknown method 'pdk'; did you mean 'pkd'?"),
        ({"add": ["pkd", "pkd"]}, "method 'pkd' is named twice; name it once"),
        ({"add": ["ld"]}, "method ld: the student's RetinaHead predicts no distributions"),
        ({"add": "pdk"}, "unknown method 'pdk'"),
        ({"space": ["mine.yaml"]}, "--space mine.yaml: there are several methods; say which, e.g. defeat=FILE"),
        ({"space": ["pkd=pkd"]}, "--space pkd=pkd: no method 'pkd' here; known: defeat, fgd"),
        ({"space": ["fgd=nowhere.yaml"]}, "search space file nowhere.yaml does not exist"),
        ({"space": ["fgd=defeat"]}, "is a space of method 'defeat', not of 'fgd'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_line(data: Prepared, home: Path, more: dict[str, Any], words: str) -> None:
    assert words in refused(study("defeat", "fgd", seeds=4), data, home, **more)


def test_another_space_of_one_of_several_and_of_the_only_one(data: Prepared, home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(NARROW.format("fgd", "beta_ratio"))
    file = str(tmp_path / "mine.yaml")
    defeat, fgd = asked(study("defeat", "fgd"), data, home, space=[f"fgd={file}"])["arms"]
    assert list(fgd["space"]["params"]) == ["beta_ratio"]
    assert list(defeat["space"]["params"]) == list(load_space("defeat").params)
    (alone,) = asked(study("fgd"), data, home, space=file)["arms"]
    assert alone["space"] == fgd["space"]
    assert refused(study("fgd"), data, home, space=["pkd=pkd"]).endswith("no method 'pkd' here; known: fgd")
    (tmp_path / "wrong.yaml").write_text(NARROW.format("fgd", "beta_ration"))
    words = refused(study("fgd"), data, home, space=[str(tmp_path / "wrong.yaml")])
    assert "method fgd has no parameter 'beta_ration'; did you mean 'beta_ratio'?" in words


def test_a_method_joins_with_a_space_of_its_own_and_the_first_teacher(
    data: Prepared, home: Path, tmp_path: Path
) -> None:
    """LGD has no teacher; PKD is the first method of the study that needs one."""
    (tmp_path / "mine.yaml").write_text(NARROW.format("pkd", "weight"))
    plan = study("lgd")
    changes = asked(plan, data, home, add=["pkd"], space=[f"pkd={tmp_path / 'mine.yaml'}"], trials=2)
    after = plan.changed(changes, "extend")
    assert after.names() == ["none", "lgd", "pkd"]
    assert after.arms[0] == plan.arms[0]
    assert list(after.domains("pkd")) == ["weight", *(key for key in after.domains("pkd") if "training." in key)]
    assert (after.teacher, after.teacher_train) == (teachers.trained_teacher(TASK), True)
    assert after.arms[1].taught
    assert after.trials == 8


def test_a_method_without_a_teacher_leaves_the_teacher_as_it_is(data: Prepared, home: Path) -> None:
    assert set(asked(study("pkd"), data, home, add=["lgd"])) == {"arms"}


def test_trials_of_a_study_of_the_baseline_alone_are_the_baselines(data: Prepared, home: Path) -> None:
    alone = study()
    after = alone.changed(asked(alone, data, home, trials=3), "extend")
    assert after.baselines == alone.baselines + 3
    assert after.first("none") == alone.first("none")
    words = refused(study(task=PLAIN), data, home, trials=3)
    assert "trains none alone, whose task searches nothing of it; give --add METHOD" in words
    assert "none alone, which has no search space" in refused(alone, data, home, space=["none"])


def test_they_are_trained(data: Prepared, home: Path, tmp_path: Path) -> None:
    plan, formula = study(), Formula({})
    board = played(formula, plan, tmp_path, teacher_ready=True)
    before = list(board.trials)
    board.extend(asked(plan, data, home, trials=2))
    formula.play(board)
    assert list(board.trials) == [*before, "none-003", "none-004"]
