"""The store of teachers: what is known of a teacher that kdbench trained, and of one that was given."""

from __future__ import annotations

from pathlib import Path

from kdbench.detectors import teachers
from kdbench.specs.recipe import TeacherRef, given_teacher_recipe, teacher_recipe
from kdbench.specs.task import load_task

TASK = load_task("shapes")
GIVEN = TeacherRef(config=TASK.teacher.config, set=TASK.teacher.set, id="file-1")


def test_figures_of_a_trained_teacher(tmp_path: Path) -> None:
    recipe = teacher_recipe(TASK)
    assert teachers.figures(tmp_path, recipe) == {}
    (tmp_path / "w.pth").write_bytes(b"w")
    teachers.publish(tmp_path, recipe.hash, tmp_path / "w.pth", {"summary": {"best/mAP": 0.5}})
    assert teachers.figures(tmp_path, recipe) == {"best/mAP": 0.5}


def test_figures_of_a_given_teacher_are_of_a_task(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"w")
    teachers.publish(tmp_path, GIVEN.id, tmp_path / "w.pth", {"source": "r101.pth"})
    here, there = given_teacher_recipe(TASK, GIVEN), given_teacher_recipe(load_task("bccd"), GIVEN)
    teachers.note_figures(tmp_path, GIVEN.id, here, {"best/mAP": 0.5})
    assert teachers.figures(tmp_path, here) == {"best/mAP": 0.5}
    assert teachers.figures(tmp_path, there) == {}
    teachers.note_figures(tmp_path, GIVEN.id, there, {"best/mAP": 0.1})
    assert teachers.figures(tmp_path, here) == {"best/mAP": 0.5}
    assert teachers.card(tmp_path, GIVEN.id)["source"] == "r101.pth"


def test_a_given_teacher_is_not_mistaken_for_the_one_that_kdbench_trains() -> None:
    assert given_teacher_recipe(TASK, GIVEN).hash != teacher_recipe(TASK).hash
