"""Asynchronous successive halving that pauses and promotes: a trial waits at each rung until it is among the best there.

Nothing is lost by waiting: a trial that was average among few may go on when more have come by. With few devices this
keeps what `Halving`, which stops, would have thrown away.

Reference: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020, arXiv 1810.05934, algorithm 2.
Differs from the paper: a figure that comes late counts at every rung that it passed, and the trial waits at the highest
of them; trials may be exempt.
Differs from Syne Tune's promotion: that takes who reaches the interpolated quantile, ceil(n / factor) of n >= 2; the paper
and we take floor(n / factor). They agree wherever `factor` divides n.
"""

from __future__ import annotations

from kdbench.search.rungs.levels import Mode, merit, rungs


class Promotion:
    """Which trials of one arm wait, and which goes on next. Its state is the order of its reports, promotions and losses.

    Args:
        epochs: epochs of a whole trial.
        grace: epochs that every trial may have.
        factor: of the trials that reach a rung, one in `factor` goes on.
        mode: whether the best values are the largest or the smallest; NaN is worst.

    Attributes:
        rungs: the epochs at which trials wait, ascending, all below `epochs`.

    Example:
        >>> promotion = Promotion(epochs=9)
        >>> [promotion.report(f"trial-{n}", 1, value) for n, value in enumerate((0.1, 0.3, 0.2))]
        [True, True, True]
        >>> promotion.next()
        'trial-1'
        >>> promotion.promote("trial-1")
        >>> promotion.next(), promotion.waiting
        (None, ('trial-2', 'trial-0'))
    """

    def __init__(self, epochs: int, grace: int = 1, factor: int = 3, mode: Mode = "max") -> None:
        self._epochs, self._factor, self._mode = epochs, factor, mode
        self.rungs = tuple(rung for rung in rungs(epochs, grace, factor) if rung < epochs)
        self._seen: dict[int, dict[str, float]] = {rung: {} for rung in self.rungs}
        """By rung, the merit of every trial that came by, in the order of arrival."""
        self._waits: dict[str, int] = {}
        """The rung at which a trial waits."""
        self._exempt: set[str] = set()

    def exempt(self, trial: str) -> None:
        """This trial never waits; its figures count as any other's. To be said before its first report."""
        self._exempt.add(trial)

    def report(self, trial: str, epoch: int, value: float) -> bool:
        """Tell a value (of the task's metric) in the order in which values come; True: the trial waits here.

        The first report at or after a rung is the trial's figure there. A trial that waits and reports all the same
        still waits. The last epoch is the end, whatever rungs were skipped.
        """
        if trial in self._waits:
            return True
        reached = [rung for rung in self.rungs if rung <= epoch and trial not in self._seen[rung]]
        for rung in reached:
            self._seen[rung][trial] = merit(value, self._mode)
        if not reached or trial in self._exempt or epoch >= self._epochs:
            return False
        self._waits[trial] = reached[-1]
        return True

    def next(self) -> str | None:
        """The trial that may be promoted now: from the highest rung that has one, the best of it."""
        for rung in reversed(self.rungs):
            ranked = self._ranked(rung)
            for trial in ranked[: len(ranked) // self._factor]:
                if self._waits.get(trial) == rung:
                    return trial
        return None

    def promote(self, trial: str) -> None:
        """It goes on from the rung where it waits.

        Raises:
            KeyError: it does not wait.
        """
        del self._waits[trial]

    def gone(self, trial: str) -> None:
        """It will not go on (infeasible, failed, lost). Its figures stay; started again after all, it reports as before."""
        self._waits.pop(trial, None)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Who waits: the highest rung first, the best of a rung first."""
        return tuple(
            trial for rung in reversed(self.rungs) for trial in self._ranked(rung) if self._waits.get(trial) == rung
        )

    def leader(self) -> str | None:
        """The trial that waits though it is best of all that came by its rung; of several, that of the highest rung.

        Where nothing else is left to start, it goes on: no arm ends with its best trial waiting.
        """
        for rung in reversed(self.rungs):
            best = next(iter(self._ranked(rung)), None)
            if best is not None and self._waits.get(best) == rung:
                return best
        return None

    def _ranked(self, rung: int) -> list[str]:
        """All that came by, best first; of equals the earlier first, as sorting is stable."""
        seen = self._seen[rung]
        return sorted(seen, key=lambda trial: -seen[trial])
