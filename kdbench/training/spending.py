"""What a training has cost so far, kept beside its checkpoint: a kill between two checkpoints does not forget it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

FILE = "spent.json"
INTERVAL = 20.0
"""Seconds between two notes: as much is forgotten at most."""


class Spending:
    """The account of one recipe in one folder. Every attempt at the recipe goes on with it.

    Example:
        >>> account = Spending(workdir, recipe.hash)
        >>> account.note(seconds=31.5, peak_bytes=2**30)
        >>> Spending(workdir, recipe.hash).read()
        (31.5, 1073741824)
    """

    def __init__(self, workdir: Path, recipe: str) -> None:
        self.path, self.recipe = workdir / FILE, recipe
        self._noted = time.monotonic()

    def read(self) -> tuple[float, int]:
        """Seconds and peak bytes of the attempts so far; zeros where nothing is known."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["recipe"] != self.recipe:
                return 0.0, 0
            return float(content["seconds"]), int(content["peak_bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0, 0

    @property
    def due(self) -> bool:
        """Whether the last note is old enough for another."""
        return time.monotonic() - self._noted >= INTERVAL

    def note(self, seconds: float, peak_bytes: int) -> None:
        """Write the account; a kill at any moment leaves the old one or the new one, whole."""
        self._noted = time.monotonic()
        temporary = self.path.with_name(f"{FILE}.{os.getpid()}.tmp")
        content = {"recipe": self.recipe, "seconds": seconds, "peak_bytes": peak_bytes}
        try:
            temporary.write_text(json.dumps(content), encoding="utf-8")
            os.replace(temporary, self.path)
        except OSError:
            temporary.unlink(missing_ok=True)  # a full disk is the checkpoint's to report

    def close(self) -> None:
        """The training is complete, and its summary says what it cost."""
        self.path.unlink(missing_ok=True)
