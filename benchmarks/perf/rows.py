"""Tables to which each run of a script adds a row."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any


def append(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a CSV file of the same columns, or begin one."""
    new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
