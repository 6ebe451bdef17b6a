"""A teacher whose weights were spoilt: taken from its trial's folder again, or trained again; the study never waits for ever."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch

from kdbench.detectors import teachers
from kdbench.running.driving import Crew
from kdbench.search.board import TEACHER, Board
from kdbench.specs.recipe import teacher_recipe
from kdbench.specs.task import load_task
from tests.unit.search.plans import plan

TASK = load_task("shapes_two_stage")
RECIPE = teacher_recipe(TASK)


def begun(storage: Path) -> Path:
    """A study whose teacher was trained and stored."""
    folder = storage / "studies" / "s"
    (folder / "trials" / TEACHER).mkdir(parents=True)
    board = Board(plan(), folder, teacher_ready=False, listeners=[])
    teacher = board.next()
    assert teacher is not None
    torch.save(
        {"meta": {"recipe": RECIPE.hash}, "state_dict": {"w": torch.zeros(99)}},
        folder / "trials" / TEACHER / "student.pth",
    )
    board.end(teacher, "completed", None, {"best/mAP": 0.5})
    crew(storage, folder)
    assert teachers.sound(storage, RECIPE.hash, print)
    return folder


def crew(storage: Path, folder: Path) -> tuple[Board, list[str]]:
    """The study is taken up again."""
    told: list[str] = []
    made = Crew(MagicMock(), storage)
    made.view.tell = told.append  # type: ignore[method-assign]
    ready = teachers.sound(storage, RECIPE.hash, told.append)
    board = Board(plan(), folder, teacher_ready=ready, listeners=made.listeners)
    made.join(board, ())
    return board, told


def test_its_trials_folder_has_them_still(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    (tmp_path / "teachers" / RECIPE.hash / teachers.WEIGHTS).write_bytes(b"rubbish")
    board, told = crew(tmp_path, folder)
    assert len(told) == 1
    assert teachers.sound(tmp_path, RECIPE.hash, told.append)
    assert board.teacher_ready
    following = board.next()
    assert following is not None
    assert following.id == "none-000"


@pytest.mark.parametrize("raw", [b"rubbish", None], ids=["spoilt", "gone"])
def test_nobody_has_them(tmp_path: Path, raw: bytes | None) -> None:
    folder = begun(tmp_path)
    (tmp_path / "teachers" / RECIPE.hash / teachers.WEIGHTS).write_bytes(b"")
    student = folder / "trials" / TEACHER / "student.pth"
    if raw is None:
        student.unlink()
    else:
        student.write_bytes(raw)
    board, told = crew(tmp_path, folder)
    assert len(told) == 2
    assert told[1].endswith("teacher is trained again")
    assert not board.done
    again = board.next()
    assert again is not None
    assert (again.id, again.end) == (TEACHER, None)
