"""Values by hand: what is taken, what is said of it, and what is refused, each in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.planning.enqueuing import enqueue_point
from kdbench.search.queue import Queue
from kdbench.specs.study import StudyPlan
from tests.unit.search.plans import arm, plan, several

PUBLISHED = {
    "neck_fg_weight": 3.0,
    "neck_bg_weight": 12.0,
    "head_fg_weight": 0.0,
    "head_bg_weight": 0.0,
    "head_proposals": "teacher",
    "decay": "none",
}
"""Of DeFeat; the temperatures count only where the weights of the heads are above 0."""


def refused(study: StudyPlan, folder: Path, *given: str) -> str:
    """The line that says why; nothing is written."""
    with pytest.raises(InputError) as caught:
        enqueue_point(study, folder, given)
    assert "\n" not in str(caught.value)
    assert not list(folder.iterdir())
    return str(caught.value)


def test_what_is_not_given_is_as_published(tmp_path: Path) -> None:
    (line,) = enqueue_point(plan(), tmp_path, ["neck_fg_weight=4"])
    assert line.startswith("defeat tries next: ")
    assert "neck_fg_weight=4" in line
    assert Queue(tmp_path).read() == [("defeat", {**PUBLISHED, "neck_fg_weight": 4})]


def test_points_are_appended_each_to_its_arm(tmp_path: Path) -> None:
    study = several("defeat", "fgd").model_copy(update={"arms": (_pkd("pkd"), _pkd("pkd_two_stage_teacher"))})
    enqueue_point(study, tmp_path, ["pkd", "weight=2"])
    enqueue_point(study, tmp_path, ["pkd_two_stage_teacher", "weight=1e-1", "training.norm=SyncBN"])
    assert Queue(tmp_path).read() == [
        ("pkd", {"weight": 2}),
        ("pkd_two_stage_teacher", {"weight": 0.1, "training.norm": "SyncBN"}),
    ]


def _pkd(name: str) -> Any:
    return arm(name, method="pkd")


@pytest.mark.parametrize(
    ("given", "outside"),
    [
        (["neck_fg_weight=400"], "neck_fg_weight"),
        (["neck_fg_weight=4", "training.lr=1.5"], "training.lr"),
        (["head_fg_temperature=2"], "head_fg_temperature"),
    ],
)
def test_what_the_search_would_not_propose_is_taken_and_said(tmp_path: Path, given: list[str], outside: str) -> None:
    lines = enqueue_point(plan(), tmp_path, given)
    assert lines[1:] == [f"outside the search space: {outside}"]
    assert outside in Queue(tmp_path).read()[0][1]


def test_a_condition_that_the_point_itself_meets_is_inside(tmp_path: Path) -> None:
    assert len(enqueue_point(plan(), tmp_path, ["head_fg_weight=1", "head_fg_temperature=2"])) == 1
    one_stage = plan(detector="one_stage")
    assert enqueue_point(one_stage, tmp_path, ["head_fg_weight=1"])[1].endswith(": head_fg_weight")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "no values; give KEY=VALUE"),
        (["defeat"], "no values for defeat; give KEY=VALUE"),
        (["neck_fg_weight"], "neck_fg_weight: has no value; give neck_fg_weight=VALUE"),
        (["defaet", "decay=linear"], "no method 'defaet'; did you mean 'defeat'?"),
        (["none", "training.lr=1"], "none is the baseline, which takes no values by hand; name a method: defeat"),
        (["neck_fg_weigt=4"], "neck_fg_weigt: defeat has no such value to set; did you mean 'neck_fg_weight'?"),
        (["training.epochs=4"], "training.epochs: defeat has no such value to set"),
        (["defeat", "defeat"], "'defeat' is not KEY=VALUE, e.g. training.lr=1.5"),
        (["=4"], "'=4' is not KEY=VALUE"),
        (["neck_fg_weight=[1"], "neck_fg_weight: line 1, column 3: broken YAML"),
        (["neck_fg_weight=much"], "values for defeat: key 'neck_fg_weight': input should be a valid number"),
        (["neck_fg_weight=-1"], "greater than or equal to 0 (given: -1)"),
        (["neck_fg_weight=.inf"], "neck_fg_weight: must be a finite number"),
        (["decay=sine"], "key 'decay': input should be 'none', 'linear'"),
        (["training.samples_per_gpu=2.5"], "key 'samples_per_gpu': input should be a valid integer"),
        (["training.norm=GN"], "key 'norm': input should be 'BN' or 'SyncBN'"),
        *(
            ([f"training.lr={value}"], f"training.lr {shown}: must be a number above 0, a factor of the task's")
            for value, shown in (("fast", "'fast'"), ("null", "None"), ("true", "True"), ("-1", "-1"), ("[1]", "[1]"))
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, given: list[str], words: str) -> None:
    assert words in refused(plan(), tmp_path, *given)


def test_what_the_study_fixes_stays(tmp_path: Path) -> None:
    words = refused(plan(fixed={"decay": "linear"}), tmp_path, "decay=none")
    assert words == "decay: the study fixes it to 'linear'; leave it out"


def test_of_several_methods_one_is_named(tmp_path: Path) -> None:
    study = several("defeat", "fgd")
    assert refused(study, tmp_path, "weight=3").endswith("several methods; say which, e.g. defeat weight=3")
    assert len(refused(study, tmp_path, f"weight={'3' * 400}")) < 200
    assert refused(study, tmp_path, "icd", "weight=3").endswith("no method 'icd'; known: defeat, fgd")


@pytest.mark.parametrize("given", [["training.lr=2"], ["none", "training.lr=2"]])
def test_a_study_of_the_baseline_alone_has_nothing_to_try(tmp_path: Path, given: list[str]) -> None:
    words = refused(several(), tmp_path, *given)
    assert words == "study s searches none alone; there is no method to try values of"
