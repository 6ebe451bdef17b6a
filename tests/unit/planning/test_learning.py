"""What a study takes from earlier ones: the noise of the task, trials for the sampler, points to try early."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import InputError
from kdbench.planning.learning import learn, noise_of
from kdbench.search import folders
from kdbench.search.queue import Queue
from kdbench.specs.study import StudyPlan
from tests.unit.search.plans import several
from tests.unit.search.playing import Formula, played

HEIGHTS = {"defeat": 0.30, "fgd": 0.34, "pkd": 0.26}


def record(storage: Path, plan: StudyPlan, formula: Formula | None = None) -> None:
    """A study in a storage folder, as a driver leaves it."""
    played(formula or Formula(HEIGHTS), plan, folders.create(storage, plan), teacher_ready=True)


def test_noise_is_pooled_over_the_recipes_with_several_seeds(tmp_path: Path) -> None:
    plan = several("defeat", trials=2, seeds=4)
    record(tmp_path, plan, Formula(HEIGHTS, noise=0.01))
    groups: dict[str, list[float]] = {}
    for one in completed(tmp_path):
        groups.setdefault(one.recipe.config_hash, []).append(one.summary["best/mAP"])
    several_seeds = [values for values in groups.values() if len(values) > 1]
    assert sorted(len(values) for values in several_seeds) == [
        4,
        4,
    ]  # the search's own seed, and three of the race, which settled it
    squares = [sum((v - sum(values) / 4) ** 2 for v in values) for values in several_seeds]
    assert noise_of(plan.task, tmp_path) == pytest.approx((sum(squares) / 6) ** 0.5)


def completed(storage: Path) -> list:  # type: ignore[type-arg]
    from kdbench.search.finding import trainings

    return [one for one in trainings(storage) if one.end == "completed" and one.stage != "teacher"]


def test_without_several_seeds_the_tasks_own_noise_counts(tmp_path: Path) -> None:
    plan = several("defeat", trials=2)
    record(tmp_path, plan)
    assert noise_of(plan.task, tmp_path) is None
    assert noise_of(plan.task.model_copy(update={"noise": 0.004}), tmp_path) == 0.004
    other = plan.task.model_copy(update={"schedule": plan.task.schedule.with_epochs(9)})
    record(tmp_path, several("defeat", trials=1, seeds=4, study="raced"))
    assert noise_of(plan.task, tmp_path) is not None
    assert noise_of(other, tmp_path) is None, "another schedule is another noise"


def test_the_same_method_on_the_same_task_is_told_to_the_sampler(tmp_path: Path) -> None:
    record(tmp_path, several("defeat", "fgd", trials=6, study="old"))
    learnt = learn(several("defeat", study="new"), ["old"], tmp_path)
    known = learnt.arms[0].known
    assert [one.source for one in known] == [f"old/defeat-{n:03d}" for n in range(3)]
    assert (known[0].proposal, known[0].end, sorted(known[0].reports)) == (
        {"weight": 1.0},
        "completed",
        list(range(1, 9)),
    )
    assert learnt.arms[0].points == ()
    assert learnt.lines == ("defeat: 3 trials of study old are told to the sampler",)


def test_another_method_on_the_same_task_hands_on_its_training_values(tmp_path: Path) -> None:
    plan = several("fgd", trials=3, study="old")
    task = plan.task.model_copy(update={"search_training": ("lr",)})
    formula = Formula(HEIGHTS)
    record(tmp_path, plan.model_copy(update={"task": task}), formula)
    new = several("defeat", study="new").model_copy(update={"task": task})
    (point,) = learn(new, ["old"], tmp_path).arms[0].points
    assert list(point.proposal) == ["training.lr"]
    assert point.source.startswith("old/")
    board = played(
        Formula(HEIGHTS), new.model_copy(update={"arms": learn(new, ["old"], tmp_path).arms}), tmp_path / "b"
    )
    second = board.rounds.of("defeat")[1]
    if point.proposal["training.lr"] == 1.0:  # the published values themselves are not tried twice
        assert second.origin is None
    else:
        assert second.proposal == {"weight": 1.0, **point.proposal}


def test_another_task_hands_on_the_methods_best_three(tmp_path: Path) -> None:
    plan = several("defeat", trials=6, study="old")
    far = plan.task.model_copy(update={"schedule": plan.task.schedule.with_epochs(6)})
    record(tmp_path, plan.model_copy(update={"task": far}), Formula(HEIGHTS, best={"defeat": 5.0}))
    new = several("defeat", study="new", trials=5)
    learnt = learn(new, ["old"], tmp_path)
    points = learnt.arms[0].points
    assert len(points) == 3
    assert learnt.arms[0].known == ()
    values = {one.trial: one for one in completed(tmp_path)}
    figures = [values[point.source.removeprefix("old/")].summary["best/mAP"] for point in points]
    assert (
        figures
        == sorted((one.summary["best/mAP"] for one in values.values() if one.trial.startswith("defeat")), reverse=True)[
            :3
        ]
    )
    board = played(Formula(HEIGHTS), new.model_copy(update={"arms": learnt.arms}), tmp_path / "b")
    own = board.rounds.of("defeat")
    fresh = [point for point in points if point.proposal != {"weight": 1.0}]
    assert own[0].proposal == {"weight": 1.0}
    assert [trial.proposal for trial in own[1 : 1 + len(fresh)]] == [point.proposal for point in fresh]


@pytest.mark.parametrize("name", ["old", "nothing"])
def test_what_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    plan = several("fgd", trials=1, study="old")
    far = plan.task.model_copy(update={"schedule": plan.task.schedule.with_epochs(6)})
    record(tmp_path, plan.model_copy(update={"task": far}))
    words = "nothing of it can be used here" if name == "old" else "no study 'nothing'"
    with pytest.raises(InputError, match=words):
        learn(several("defeat", study="new"), [name], tmp_path)


def test_a_damaged_queue_is_named(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add("defeat", {"weight": 2.0})
    assert queue.next(0) == ("defeat", {"weight": 2.0})
    assert queue.next(1) is None
    with open(queue.path, "a") as file:
        file.write("rubbish\n")
    with pytest.raises(InputError, match=r"line 2 is damaged; remove it"):
        queue.read()
