"""Checkpoints that a kill or a disk has spoilt: set aside, told in a line, and the one before is taken."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench.training import checkpoints


def content(epoch: int) -> dict[str, Any]:
    return {
        "meta": {"recipe": "a1"},
        "state_dict": {"w": torch.full((400, 40), float(epoch))},
        "method": {},
        "optimizers": [{}],
        "epoch": epoch,
        "iteration": 3 * epoch,
        "rng": [{}],
        "history": [],
        "seconds": 1.0,
        "peak_bytes": 1,
        "loss_scaler": {},
    }


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def zeroed(file: Path) -> None:
    file.write_bytes(b"\0" * file.stat().st_size)


def zeroed_in_the_middle(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 4096] = b"\0" * 4096
    file.write_bytes(raw)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def text(file: Path) -> None:
    file.write_text("epoch 1\n")


def foreign(file: Path) -> None:
    file.write_bytes(pickle.dumps({"a": Path("x")}))


def other(file: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, file)


def bare_list(file: Path) -> None:
    torch.save([1, 2], file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


SPOILS = [cut, zeroed, zeroed_in_the_middle, empty, text, foreign, other, bare_list, folder]


@pytest.mark.parametrize("spoil", SPOILS)
def test_the_one_before_is_taken(tmp_path: Path, spoil: Any) -> None:
    """shared/failing/58: a text, other objects, or half a file in the place of a checkpoint."""
    path = tmp_path / checkpoints.FILE
    for epoch in (1, 2, 3):
        checkpoints.save(path, content(epoch))
    spoil(path)
    told: list[str] = []
    found = checkpoints.load(path, None, told.append)
    assert found is not None
    assert found[1]["epoch"] == 2
    assert len(told) == 1
    assert str(path) in told[0]
    assert "checkpoint.damaged.pth" in told[0]
    assert (tmp_path / "checkpoint.damaged.pth").exists()
    assert not path.exists()
    checkpoints.save(path, content(3))
    again = checkpoints.load(path, None, told.append)
    assert again is not None
    assert again[1]["epoch"] == 3
    assert len(told) == 1


def test_both_are_spoilt_or_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / checkpoints.FILE
    for epoch in (1, 2):
        checkpoints.save(path, content(epoch))
    cut(path)
    zeroed(tmp_path / checkpoints.PREVIOUS)
    told: list[str] = []
    assert checkpoints.load(path, None, told.append) is None
    assert len(told) == 2
    checkpoints.save(path, content(1))
    assert checkpoints.load(path, lambda found: "is of another recipe", told.append) is None
    assert told[-1].endswith("is of another recipe; it is set aside as checkpoint.damaged-2.pth")


def test_killed_between_the_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is cut off, one whole checkpoint is there, and nothing else is left of it."""
    path = tmp_path / checkpoints.FILE
    for epoch in (1, 2):
        checkpoints.save(path, content(epoch))
    real = os.replace
    for number in (1, 2):
        calls: list[Any] = []

        def dies(source: Any, target: Any, calls: list[Any] = calls, number: int = number) -> None:
            calls.append(target)
            if len(calls) == number:
                raise KeyboardInterrupt
            real(source, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", dies)
            checkpoints.save(path, content(3))
        found = checkpoints.load(path)
        assert found is not None
        assert found[1]["epoch"] == 2


def test_an_ended_training_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / checkpoints.FILE
    for epoch in (1, 2):
        checkpoints.save(path, content(epoch))
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([checkpoints.FILE, checkpoints.PREVIOUS])
    checkpoints.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []
