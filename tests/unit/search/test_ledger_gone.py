"""A ledger that is gone or damaged: nothing is trained again in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdbench.errors import InputError, RunError
from kdbench.search import folders
from kdbench.search.ledger import FILE, Ledger


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "trials" / "none-000").mkdir(parents=True)
    (tmp_path / "study.yaml").write_text("version: 1\n")
    (tmp_path / FILE).write_text("{}\n")
    folders.check_ledger(tmp_path)
    return tmp_path


@pytest.mark.parametrize("change", ["missing", "folder", "empty"])
def test_a_study_without_its_ledger(study: Path, change: str) -> None:
    """shared/failing/60: everything was trained again."""
    (study / FILE).unlink()
    if change == "folder":
        (study / FILE).mkdir()
    elif change == "empty":
        (study / FILE).touch()
    with pytest.raises(InputError, match="restore it from a copy, or start anew"):
        folders.check_ledger(study)


def test_a_study_that_was_killed_before_its_first_trial(study: Path) -> None:
    (study / FILE).write_text("")
    (study / "trials" / "none-000").rmdir()
    folders.check_ledger(study)


TRIAL = {"event": "trial", "trial": "a", "arm": "none", "stage": "search", "number": 0, "proposal": {}, "recipe": {}}


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b"[]\n",
        b'{"event": "end", "trial": "b", "end": "failed", "reason": null, "summary": {}}\n',
        b'{"event": "report", "trial": "a"}\n',
        b'{"event": "dance", "trial": "a"}\n',
        b"[" * 5000 + b"\n",
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / FILE
    path.write_bytes(json.dumps(TRIAL).encode() + b"\n" + line)
    with pytest.raises(RunError, match="line 2 is damaged"):
        Ledger(path).read()


def test_a_ledger_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        Ledger(tmp_path / FILE).read()
