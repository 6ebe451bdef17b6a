"""When a search has given what it can: the last trials of every arm brought nothing above the noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

ROUNDING = 1e-9
"""Figures have some four decimals: a gain that is larger than the noise by less is none."""


def exhausted(
    values: Mapping[str, Sequence[float | None]],
    patience: int,
    noise: float | None,
    mode: Literal["max", "min"] = "max",
) -> bool:
    """Whether the last `patience` trials of every arm brought no gain above the noise, so that proposing stops.

    An arm with `patience` trials or fewer has nothing to compare them with and goes on; so does one whose first figure is
    among its last trials.

    Formula:
        best of all trials - best before the last `patience` <= noise, for every arm.

    Args:
        values: of each arm that still gets trials, the figures of its ended trials in the order of their numbers; None
            is a trial without a figure, which brought nothing. Arms that were dropped, or that have nothing more to
            propose, stay out.
        noise: one standard deviation over seeds, in the figure's unit; None: unknown, any gain counts.
        mode: whether the largest or the smallest figure is the best.

    Raises:
        ValueError: the patience is below 1.

    Example:
        >>> exhausted({"pkd": [0.40, 0.42, 0.421, 0.41], "cwd": [0.39, None, 0.38]}, patience=2, noise=0.003)
        True
        >>> exhausted({"pkd": [0.40, 0.42, 0.43, 0.41], "cwd": [0.39, None, 0.38]}, patience=2, noise=0.003)
        False
    """
    if patience < 1:
        raise ValueError(f"patience is a number of trials from 1 on, got {patience}")
    sign = 1.0 if mode == "max" else -1.0
    return all(
        len(figures) > patience
        and _gain([None if v is None else sign * v for v in figures], patience) <= (noise or 0.0)
        for figures in values.values()
    )


def _gain(merits: Sequence[float | None], patience: int) -> float:
    """What the last ones added to the best before them; endless where they brought the first figure at all."""
    before = [merit for merit in merits[:-patience] if merit is not None]
    after = [merit for merit in merits[-patience:] if merit is not None]
    if not after:
        return 0.0
    if not before:
        return float("inf")
    return max(after) - max(before) - ROUNDING
