"""What was wrong with a dataset: `problems.csv`, a line for everything that the one line of notes counts."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from kdbench.data.raw import RawSplit

FILE = "problems.csv"
COLUMNS = ("split", "file", "box", "what was done")


def write(folder: Path, splits: Mapping[str, RawSplit]) -> None:
    """Write `problems.csv` into the prepared data's folder; only a heading where nothing is wrong."""
    with open(folder / FILE, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((name, *problem) for name, split in splits.items() for problem in split.problems)
