"""Points by hand: `kdbench enqueue` appends them to a file of the study, and its driver proposes them next."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kdbench.errors import InputError

FILE = "queue.jsonl"


class Queue:
    """The points of one study, in the order in which they were given. A file of its own, for only the driver writes the ledger."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def add(self, arm: str, proposal: dict[str, Any]) -> None:
        """Append a point, whole or not at all, also while the study runs."""
        line = json.dumps({"arm": arm, "proposal": proposal}, sort_keys=True).encode() + b"\n"
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def next(self, taken: int) -> tuple[str, dict[str, Any]] | None:
        """The arm and the values of the first point after those that were taken."""
        points = self.read()
        return points[taken] if taken < len(points) else None

    def read(self) -> list[tuple[str, dict[str, Any]]]:
        """Every point.

        Raises:
            InputError: the file is damaged.
        """
        if not self.path.is_file():
            return []
        found = []
        for number, line in enumerate(self.path.read_bytes().split(b"\n")[:-1], 1):
            try:
                content = json.loads(line)
                found.append((str(content["arm"]), dict(content["proposal"])))
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{self.path}: line {number} is damaged; remove it") from None
        return found
