"""What a user is told before anything is trained: what was done to the data, and what of a config is not read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdbench.data import Prepared


def lines(data: Sequence[Prepared], notes: Sequence[str]) -> list[str]:
    """The lines in their order; of several datasets each line names its own."""
    several = len(data) > 1
    told = [f"data{f' {one.name}' if several else ''}: {line}" for one in data for line in one.lines]
    return [*told, *(f"note: {note}" for note in notes)]
