"""A study's plan for tests of the search: DeFeat on the two-stage shapes."""

from __future__ import annotations

from kdbench.specs.recipe import TeacherRef
from kdbench.specs.space import Domain, SpaceSpec, load_space
from kdbench.specs.study import Arm, StudyPlan
from kdbench.specs.task import load_task

DEFAULTS = {
    "neck_fg_weight": 3.0,
    "neck_bg_weight": 12.0,
    "head_fg_weight": 0.0,
    "head_bg_weight": 0.0,
    "head_fg_temperature": 1.0,
    "head_bg_temperature": 1.0,
    "head_proposals": "teacher",
    "decay": "none",
}


def plan(**changes: object) -> StudyPlan:
    values = {
        "study": "s",
        "task": load_task("shapes_two_stage"),
        "method": "defeat",
        "space": load_space("defeat"),
        "defaults": DEFAULTS,
        "detector": "two_stage",
        "trials": 12,
        "teacher": TeacherRef(config="x", id="t"),
        "teacher_train": True,
    }
    return StudyPlan.model_validate({**values, **changes})


def arm(name: str, **changes: object) -> Arm:
    """One weight, from a hundredth to a hundred, published as 1."""
    space = SpaceSpec(method=name, params={"weight": Domain(loguniform=(0.01, 100.0))})
    return Arm.model_validate({"name": name, "method": name, "space": space, "defaults": {"weight": 1.0}, **changes})


def several(*names: str, **changes: object) -> StudyPlan:
    """A plan of several arms on the two-stage shapes: 8 epochs, a baseline of one trial."""
    task = load_task("shapes_two_stage")
    task = task.model_copy(update={"baseline": task.baseline.model_copy(update={"trials": 1}), "search_training": ()})
    values = {
        "study": "s",
        "task": task,
        "arms": tuple(arm(name) for name in names),
        "detector": "two_stage",
        "trials": 12,
        "teacher": TeacherRef(config="x", id="t"),
        "teacher_train": True,
        "algorithm": "random",
    }
    return StudyPlan.model_validate({**values, **changes})
