"""The median rule: a trial that is worse than half of the others at the same epoch is stopped.

Reference: Golovin et al., Google Vizier: A Service for Black-Box Optimization, KDD 2017, section 3.2.
Differs from the paper and from Ray Tune's `MedianStoppingRule`: both compare a trial's best value so far with the median
of running averages (Vizier's over the steps up to this one of completed trials, Ray's from the grace on, of all trials
that have come as far). A detector's curve rises, and its running average lags behind it, so a trial below all others
may pass. Here the value at this epoch is compared with the values at this very epoch; an epoch without an evaluation
decides nothing. As in Ray, trials that were stopped count where they came by. Ray leaves out values that are not finite;
here NaN is worst. Ray may pause a trial until enough others have come by; here it goes on.
"""

from __future__ import annotations

import statistics

from kdbench.search.rungs.levels import Mode, merit


class Median:
    """Which trials of one arm go on. The later the epoch, the better those that still come by: the bar rises.

    Args:
        epochs: epochs of a whole trial; nothing is stopped at the last.
        grace: epochs that every trial may have; a quarter of `epochs`, at least 1, where it is not given.
        least: with fewer others at that epoch nothing is decided.
        mode: whether the best values are the largest or the smallest; NaN is worst.

    Example:
        >>> median = Median(epochs=4)
        >>> [median.report(f"trial-{n}", 1, value) for n, value in enumerate((0.1, 0.3, 0.2, 0.15, 0.25))]
        [False, False, False, True, False]
    """

    def __init__(self, epochs: int, grace: int | None = None, least: int = 3, mode: Mode = "max") -> None:
        self._epochs, self._grace = epochs, max(1, epochs // 4) if grace is None else grace
        self._least, self._mode = max(1, least), mode
        self._seen: dict[int, dict[str, float]] = {}
        """By epoch, the merit of every trial that came by, stopped ones included."""

    def report(self, trial: str, epoch: int, value: float) -> bool:
        """Tell a value (of the task's metric) in the order in which values come; True: stop this trial."""
        seen = self._seen.setdefault(epoch, {})
        own = seen.setdefault(trial, merit(value, self._mode))
        if not self._grace <= epoch < self._epochs:
            return False
        others = [figure for other, figure in seen.items() if other != trial]
        return len(others) >= self._least and own < statistics.median(others)
