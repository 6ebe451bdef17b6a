"""The account of a training's cost between two checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.training import spending
from kdbench.training.spending import Spending


def test_what_was_noted_is_read_by_the_next_attempt(tmp_path: Path) -> None:
    account = Spending(tmp_path, "abc")
    assert account.read() == (0.0, 0)
    account.note(31.5, 2**30)
    assert Spending(tmp_path, "abc").read() == (31.5, 2**30)
    assert [path.name for path in tmp_path.iterdir()] == [spending.FILE]
    account.close()
    assert list(tmp_path.iterdir()) == []
    account.close()


def test_another_recipe_in_the_same_folder_starts_at_nothing(tmp_path: Path) -> None:
    Spending(tmp_path, "abc").note(31.5, 2**30)
    assert Spending(tmp_path, "def").read() == (0.0, 0)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"recipe": "abc"}', '{"recipe": "abc", "seconds": "x", "peak_bytes": 1}']
)
def test_a_broken_file_is_nothing_known(tmp_path: Path, text: str) -> None:
    (tmp_path / spending.FILE).write_text(text)
    assert Spending(tmp_path, "abc").read() == (0.0, 0)


def test_notes_are_taken_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Spending(tmp_path, "abc")
    assert not account.due
    monkeypatch.setattr(spending, "INTERVAL", 0.0)
    assert account.due


def test_a_folder_that_cannot_be_written_ends_no_training(tmp_path: Path) -> None:
    Spending(tmp_path / "gone", "abc").note(1.0, 1)
    assert not (tmp_path / "gone").exists()
