"""Rows of a suite that train the teacher's detector by itself."""

from __future__ import annotations

from kdbench.planning.suite import _teachers_row
from kdbench.specs.task import load_task


def test_the_norm_of_a_teachers_row_is_frozen_by_what_the_teacher_starts_from() -> None:
    changes = {"schedule.norm_frozen": "auto", "student.pretrained": True, "floor": 0.1}
    recipe = _teachers_row(load_task("shapes", changes), {"lr": 0.5}, 3)
    assert (recipe.schedule.norm_frozen, recipe.schedule.lr, recipe.seed, recipe.floor) == (False, 0.5, 3, None)
    assert recipe.student == load_task("shapes").teacher
    turned = _teachers_row(load_task("shapes", {"schedule.norm_frozen": "auto", "teacher.pretrained": True}), {}, 0)
    assert turned.schedule.norm_frozen is True
