"""What a search or a suite's run hands back when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyResult:
    """A study that has run to its end.

    Attributes:
        ends: trial -> end state.
        best: trial id of the best recipe of the methods, or None.
        answer: what the study says, in a sentence or two; "" where it has nothing to say.
    """

    study: str
    folder: Path
    ends: dict[str, str]
    best: str | None
    value: float | None
    answer: str = ""
