"""Asynchronous successive halving (ASHA) that remembers: fed again from the ledger on resume, it decides as it did.

Reference: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020, arXiv 1810.05934.
Differs from the paper: a trial that falls behind is stopped and not paused, as in Ray Tune's `ASHAScheduler`, whose
decisions these are.
"""

from __future__ import annotations

from kdbench.search.rungs.levels import Mode, rungs


class Halving:
    """Which trials of one arm go on. Baseline and method never compete with each other.

    Args:
        epochs: epochs of a whole trial.
        grace: epochs that every trial may have.
        factor: of the trials that reach a rung, one in `factor` goes on.
        mode: whether the best values are the largest or the smallest.

    Example:
        >>> halving = Halving(epochs=9)
        >>> [halving.report(f"trial-{n}", 1, value) for n, value in enumerate((0.3, 0.1, 0.2, 0.4))]
        [False, True, True, False]
    """

    def __init__(self, epochs: int, grace: int = 1, factor: int = 3, mode: Mode = "max") -> None:
        self._epochs, self._factor, self._sign = epochs, factor, 1.0 if mode == "max" else -1.0
        self._rungs: list[tuple[int, dict[str, float]]] = [
            (rung, {}) for rung in reversed(rungs(epochs, grace, factor))
        ]
        """The highest first: its epoch, and the merit of every trial that came by, stopped ones included."""

    def report(self, trial: str, epoch: int, value: float) -> bool:
        """Tell a value (of the task's metric) in the order in which values come; True: stop this trial."""
        merit = self._sign * value
        for rung, seen in self._rungs:
            if epoch < rung:
                continue
            if trial in seen:
                return False
            bar = self._bar(seen)
            seen[trial] = merit
            return bar is not None and merit < bar and epoch < self._epochs
        return False

    def _bar(self, seen: dict[str, float]) -> float | None:
        """What the next trial has to reach: the quantile of those that came by before it."""
        if not seen:
            return None
        import numpy as np

        return float(np.nanpercentile(list(seen.values()), (1 - 1 / self._factor) * 100))
