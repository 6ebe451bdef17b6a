"""How a folder's annotations are laid out: what every kind's finder gives, and which split a name means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.data.reading.finding import IMAGE_SUFFIXES

WORDS = {
    "train": ("train", "training", "trainset"),
    "search": ("val", "valid", "validation", "dev", "eval"),
    "report": ("test", "testing", "testset"),
}
"""Our splits, and what tools call them."""
DEPTH = 4
"""Levels of folders that are looked into."""


@dataclass
class Layout:
    """Where a folder's images and annotations lie.

    Attributes:
        kind: of the dataset.
        what: one line for people.
        splits: split -> its keys in a task, for those that the folder names; `train` alone where it names none.
        classes: in order, where the layout itself tells them.
        notes: what was left aside, and why.
    """

    kind: str
    what: str
    splits: dict[str, dict[str, Any]]
    classes: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)


def split_of(name: str) -> str | None:
    """The split that a path means, by its last part that names one.

    Example:
        >>> split_of("annotations/instances_val2017.json")
        'search'
    """
    for part in reversed(Path(name).parts):
        tokens = re.split(r"[^a-z]+", part.lower())
        for split, words in WORDS.items():
            if any(token in words for token in tokens):
                return split
    return None


def folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder from `root` on, hidden ones and those of kdbench left out, with the names of its files."""
    seen: set[str] = set()
    for place, below, names in os.walk(root, followlinks=True):
        here = Path(place)
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            below[:] = []
            continue
        seen.add(real)
        depth = len(here.relative_to(root).parts)
        kept = [name for name in sorted(below) if not name.startswith((".", "__")) and name != "kdbench-runs"]
        below[:] = kept if depth < DEPTH else []
        yield here, sorted(names)


def images_of(names: list[str]) -> list[str]:
    """Those of the names that are images."""
    return [name for name in names if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith(".")]


def below(path: Path, root: Path) -> str:
    """A path as a task names it: relative to the data root, with slashes."""
    return path.relative_to(root).as_posix()
