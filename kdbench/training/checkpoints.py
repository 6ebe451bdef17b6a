"""Checkpoints: written atomically after each evaluation, never with the teacher in them; the one before is kept too.

A disk or a kill can leave a file that is none. Such a file is set aside under another name, and the one before it is taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.detectors.digest import intact
from kdbench.detectors.writing import write_whole

FILE, PREVIOUS = "checkpoint.pth", "checkpoint.previous.pth"
KINDS: dict[str, Any] = {
    "meta": dict,
    "state_dict": dict,
    "method": dict,
    "optimizers": list,
    "epoch": int,
    "iteration": int,
    "rng": list,
    "history": list,
    "seconds": (int, float),
    "peak_bytes": (int, float),
    "loss_scaler": dict,
}
"""What a checkpoint holds."""


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one, whole."""

    def keep() -> None:
        if path.is_file():
            _keep(path, path.with_name(PREVIOUS))

    write_whole(path, content, keep)


def load(
    path: Path, wrong: Callable[[dict[str, Any]], str | None] | None = None, tell: Callable[[str], None] = print
) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that is one, with its file, on the CPU; None where there is none.

    Args:
        wrong: what is wrong with a whole checkpoint, if anything.
        tell: is told, in a line, of each file that is set aside.
    """
    for file in (path, path.with_name(PREVIOUS)):
        if not file.exists():
            continue
        content, reason = read(file)
        if content is not None:
            misfit = wrong(content) if wrong is not None else None
            if misfit is None:
                return file, content
            reason = misfit
        aside = set_aside(file)
        tell(f"{file}: {reason}; it is set aside as {aside.name}")
    return None


def read(file: Path) -> tuple[dict[str, Any] | None, str]:
    """The content of a checkpoint's file, or None and why it is none. No code in it runs."""
    import torch

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # a cut archive, zeros, a text, another program's pickle: each fails in its own way
        return None, "is not a whole checkpoint"
    if not intact(file):
        return None, "is damaged inside"
    if not isinstance(content, dict) or any(not isinstance(content.get(key), kind) for key, kind in KINDS.items()):
        return None, "is not a checkpoint of kdbench"
    return content, ""


def set_aside(file: Path) -> Path:
    """Give a damaged file another name, so that nobody takes it for what it was; the new name."""
    number, place = 1, file.with_name(f"{file.stem}.damaged{file.suffix}")
    while place.exists():
        number += 1
        place = file.with_name(f"{file.stem}.damaged-{number}{file.suffix}")
    os.replace(file, place)
    return place


def remove(folder: Path) -> None:
    """A training has ended, and what it would have gone on from is no longer needed."""
    for name in (FILE, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def _keep(path: Path, previous: Path) -> None:
    """Let `previous` be what `path` is; `path` stays where it is."""
    link = previous.with_name(f"{previous.name}.{os.getpid()}.tmp")
    try:
        os.link(path, link)
        os.replace(link, previous)
    except OSError:  # a file system without links: for a moment there is the previous one alone
        link.unlink(missing_ok=True)
        os.replace(path, previous)
