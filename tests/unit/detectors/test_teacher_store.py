"""The store of teachers: what is known of a teacher that kdbench trained, and of one that was given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kdbench.detectors import teachers
from kdbench.detectors.weights import damage, weights_id
from kdbench.errors import InputError
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


def stored(tmp_path: Path, recipe_hash: str, **card: object) -> Path:
    weights = {"meta": {"recipe": recipe_hash}, "state_dict": {"w": torch.zeros(3)}}
    torch.save(weights, tmp_path / "w.pth")
    teachers.publish(tmp_path, recipe_hash, tmp_path / "w.pth", {"summary": {"best/mAP": 0.5}, **card})
    return tmp_path / "teachers" / recipe_hash / teachers.WEIGHTS


@pytest.mark.parametrize("kept", [True, False], ids=["digest", "of an earlier kdbench"])
@pytest.mark.parametrize("raw", [b"", b"\0" * 500, b"rubbish", None], ids=["empty", "zeros", "text", "cut"])
def test_damaged_weights_are_set_aside_and_can_be_put_back(tmp_path: Path, raw: bytes | None, kept: bool) -> None:
    path = stored(tmp_path, "a1")
    card = json.loads((path.parent / teachers.CARD).read_text())
    assert len(card["sha256"]) == 64
    if not kept:
        del card["sha256"]
        (path.parent / teachers.CARD).write_text(json.dumps(card))
    told: list[str] = []
    assert teachers.sound(tmp_path, "a1", told.append)
    path.write_bytes(path.read_bytes()[:300] if raw is None else raw)
    assert not teachers.sound(tmp_path, "a1", told.append)
    assert len(told) == 1
    assert "set aside as weights.damaged.pth" in told[0]
    assert not path.exists()
    teachers.publish(tmp_path, "a1", tmp_path / "w.pth", {"source": "trained"})
    assert teachers.sound(tmp_path, "a1", told.append)
    assert teachers.card(tmp_path, "a1")["summary"] == {"best/mAP": 0.5}


def test_the_weights_of_another_training(tmp_path: Path) -> None:
    path = stored(tmp_path, "a1")
    other = {"meta": {"recipe": "b2"}, "state_dict": {"w": torch.zeros(3)}}
    torch.save(other, path)
    assert damage(path, "a1") == "holds the weights of another training"
    assert not teachers.sound(tmp_path, "a1", print)


def test_a_given_teacher_is_known_by_its_file(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(3)}}, tmp_path / "r101.pth")
    identity = f"file-{weights_id(tmp_path / 'r101.pth')}"
    teachers.publish(tmp_path, identity, tmp_path / "r101.pth", {"source": "r101.pth"})
    reference = GIVEN.model_copy(update={"id": identity})
    path = teachers.require(tmp_path, reference)
    assert path is not None
    path.write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"set aside as .*; copy r101.pth to .*weights.pth again"):
        teachers.require(tmp_path, reference)
