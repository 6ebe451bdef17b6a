"""The ledger of a study: one line for everything that happened, appended and flushed before anybody acts on it.

It is the study's only state. A resumed study reads it from the top; Ray's and Optuna's own state are not needed, so
a kill at any moment loses at most the line that was being written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kdbench.errors import InputError, RunError

FILE = "ledger.jsonl"


class Ledger:
    """An append-only file of events."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, *, repair: bool = True) -> list[dict[str, Any]]:
        """Every whole event. A last line that a kill cut off is removed from the file.

        Args:
            repair: false leaves the file alone, for a reader beside a driver that may be writing that line.
        """
        if not self.path.exists():
            return []
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror}); restore the file from a copy") from None
        whole = raw[: raw.rfind(b"\n") + 1]
        events: list[dict[str, Any]] = []
        known: set[str] = set()
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                events.append(_checked(json.loads(line), known))
            except (ValueError, KeyError, RecursionError):
                raise RunError(
                    f"{self.path}: line {number} is damaged; restore the file from a copy or start a new study"
                ) from None
        if repair and len(whole) < len(raw):
            with open(self.path, "r+b") as file:
                file.truncate(len(whole))
        return events

    def append(self, event: dict[str, Any]) -> None:
        """Write one event and wait until it is on the disk."""
        with open(self.path, "ab") as file:
            file.write(json.dumps(event, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


KEYS = {
    "trial": ("stage", "recipe"),
    "report": ("epoch", "metrics"),
    "end": ("end", "reason", "summary"),
    "retry": (),
    "promote": ("epoch",),
}
"""What every reader asks of an event of a trial, by its kind, besides the trial's name."""
OF_THE_STUDY = {
    "round": ("number", "shares"),
    "drop": ("arm", "figure"),
    "extend": ("changes",),
}
"""The same of an event of the whole study."""


def _checked(event: Any, known: set[str]) -> dict[str, Any]:
    """An event as it was written.

    Raises:
        ValueError, KeyError: it was not written by us.
    """
    if not isinstance(event, dict):
        raise ValueError
    if event["event"] in OF_THE_STUDY:
        if any(key not in event for key in OF_THE_STUDY[event["event"]]):
            raise ValueError
        return event
    if not isinstance(event["trial"], str):
        raise ValueError
    if any(key not in event for key in KEYS[event["event"]]):
        raise ValueError
    if event["event"] == "trial":
        known.add(event["trial"])
    elif event["trial"] not in known:
        raise ValueError
    return event
