"""What was wrong with a dataset: counts for the one line, and `problems.csv` with every file and box."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "problems.csv"
COLUMNS = ("split", "file", "box", "what was done", "detail")


class Problems(Counter[str]):
    """Counts by the keys of words, that remember where each was counted.

    Example:
        >>> problems = Problems()
        >>> problems.at("a.jpg", (0.0, 0.0, 5.0, 0.0))
        >>> problems["degenerate"] += 1
        >>> problems.entries
        [('degenerate', 'a.jpg', '0 0 5 0', '')]
    """

    def __init__(self) -> None:
        self.file, self.box = "", ""
        self.entries: list[tuple[str, str, str, str]] = []
        """(key, file, box as left top right bottom, detail)"""
        super().__init__()

    def at(self, file: str, corners: tuple[float, ...] | None = None) -> None:
        """Where what is counted next was found."""
        self.file = file
        self.box = "" if corners is None else " ".join(f"{side:g}" for side in corners)

    def note(self, key: str, file: str, detail: str = "") -> None:
        """Count one, with a detail for the table."""
        super().__setitem__(key, self[key] + 1)
        self.entries.append((key, file, "", detail))

    def __setitem__(self, key: str, count: int) -> None:
        more = count - self[key]
        super().__setitem__(key, count)
        self.entries += [(key, self.file, self.box, "")] * more

    def update(self, other: Mapping[str, int] | None = None, /) -> None:  # type: ignore[override]
        """Add another's counts: with their places where it has them, else as a line with the number."""
        if other is None:
            return
        known = other.entries if isinstance(other, Problems) else []
        self.entries += known
        placed = Counter(entry[0] for entry in known)
        for key, count in other.items():
            super().__setitem__(key, self[key] + count)
            if count > placed[key]:
                self.entries.append((key, "", "", f"{count - placed[key]} of them"))


def at(counts: Counter[str], file: str, corners: tuple[float, ...] | None = None) -> None:
    """Tell counts where they are, if they remember it."""
    if isinstance(counts, Problems):
        counts.at(file, corners)


def write(folder: Path, by_split: Mapping[str, Problems], words: Mapping[str, str]) -> None:
    """Write `problems.csv` into the prepared data's folder; only a heading where nothing is wrong."""
    rows: list[tuple[Any, ...]] = [
        (split, file, box, words.get(key, key), detail)
        for split, problems in by_split.items()
        for key, file, box, detail in problems.entries
    ]
    with open(folder / FILE, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
