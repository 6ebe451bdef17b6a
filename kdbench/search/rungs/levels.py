"""Where trials of one arm are compared before their end, and by what."""

from __future__ import annotations

import math
from typing import Literal

Mode = Literal["max", "min"]


def rungs(epochs: int, grace: int = 1, factor: int = 3) -> tuple[int, ...]:
    """The epochs grace * factor^k up to `epochs`, ascending; a grace beyond `epochs` gives `epochs` alone.

    Raises:
        ValueError: the factor is below 2.

    Example:
        >>> rungs(27)
        (1, 3, 9, 27)
    """
    if factor < 2:
        raise ValueError(f"a factor of {factor} would put every rung at the same epoch; it is 2 or more")
    found = [max(1, min(grace, epochs))]
    while found[-1] * factor <= epochs:
        found.append(found[-1] * factor)
    return tuple(found)


def merit(value: float, mode: Mode) -> float:
    """The value, turned where lower is better: of two, the one with more merit is better; NaN has least.

    Example:
        >>> merit(0.4, "min") > merit(0.5, "min") > merit(math.nan, "min")
        True
    """
    if math.isnan(value):
        return -math.inf
    return value if mode == "max" else -value
