"""A study's plan for tests of the search: DeFeat on the two-stage shapes."""

from __future__ import annotations

from kdbench.specs.recipe import TeacherRef
from kdbench.specs.space import load_space
from kdbench.specs.study import StudyPlan
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
