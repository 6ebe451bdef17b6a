"""Can stopping at a rung be trusted? How far the order of the trials there was that of their end.

Trials are compared within their arm, as rungs compare them, by Kendall's tau-b: 1 the same order, 0 none, -1 the reverse.
Only trials that were trained to the end can be looked at; how those that were stopped would have ended, nobody knows.

Reference: Kendall, The Treatment of Ties in Ranking Problems, Biometrika 1945 (tau-b).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from kdbench.search.rungs.levels import Mode, merit

Curve = Mapping[int, float]
"""A trial's value by epoch."""
Point = tuple[float, float]
"""A trial's merit at a rung and at its end."""
LEAST_PAIRS = 5
"""Of fewer pairs of trials nothing is said."""
TRUSTED = 0.6
"""From this tau on the order at a rung is good enough to stop by: it is right in 8 of 10 pairs."""
CHANCE = 0.05
"""Agreement that chance brings at least this often is not trusted; that of the leaderboard's verdicts."""


@dataclass(frozen=True)
class Agreement:
    """The order at one rung against that at the end.

    Attributes:
        epoch: of the rung.
        trials: how many have a figure there and were trained to the end.
        pairs: of these trials, each pair of one arm.
        same: pairs that stand in the same order; the others stand in the reverse, or are equal at one of the two.
        tau: Kendall's tau-b over all these pairs; None where nothing can be ordered.
        chance: the probability of so much agreement or more if the rung said nothing; None with `tau`.
    """

    epoch: int
    trials: int
    pairs: int
    same: int
    tau: float | None
    chance: float | None

    @property
    def answer(self) -> Literal["yes", "no", "perhaps", "unknown"]:
        """Whether stopping at this rung can be trusted; "perhaps" where so much agreement may be chance."""
        if self.tau is None or self.chance is None or self.pairs < LEAST_PAIRS:
            return "unknown"
        if self.tau < TRUSTED:
            return "no"
        return "yes" if self.chance < CHANCE else "perhaps"

    @property
    def figures(self) -> str:
        """Tau and the number of trials, in words."""
        tau = "no tau" if self.tau is None else f"tau {self.tau:.2f}"
        return f"{tau}, {self.trials} trial{'' if self.trials == 1 else 's'}"

    @property
    def verdict(self) -> str:
        """The answer with what it stands on."""
        if self.answer == "unknown":
            return f"At epoch {self.epoch} it cannot be told ({self.figures})."
        answer = "perhaps, it may be chance" if self.answer == "perhaps" else self.answer
        order = f"of two trials of one arm, the one ahead there ended ahead in {self.same} of {self.pairs} pairs"
        return f"At epoch {self.epoch} {answer}: {order} ({self.figures})."


@dataclass(frozen=True)
class Trust:
    """What a study with rungs shows of them, rung by rung, ascending.

    Attributes:
        pooled: over all arms; only trials of one arm are compared.
        arms: the same for each arm alone.
    """

    pooled: tuple[Agreement, ...]
    arms: Mapping[str, tuple[Agreement, ...]]

    def rows(self, arm: str | None = None) -> list[tuple[int, int, float | None]]:
        """Epoch, number of trials and tau of every rung, of one arm or of all."""
        return [(one.epoch, one.trials, one.tau) for one in self._of(arm)]

    def text(self, arm: str | None = None) -> str:
        """The rows in one line.

        Example:
            >>> curves = [{1: 0.1, 9: 0.3}, {1: 0.2, 9: 0.4}]
            >>> trust({"defeat": curves}, epochs=9, rungs=(1, 3)).text()
            'epoch 1: tau 1.00, 2 trials; epoch 3: no tau, 0 trials'
        """
        return "; ".join(f"epoch {one.epoch}: {one.figures}" for one in self._of(arm))

    def sentence(self, arm: str | None = None) -> str:
        """Can stopping early be trusted on this task: what was seen, rung by rung. Empty where there is no rung."""
        rows = self._of(arm)
        if not rows:
            return ""
        if all(one.answer == "unknown" for one in rows):
            return (
                "Whether stopping early can be trusted on this task cannot be told: too few trials were trained to"
                f" the end ({self.text(arm)}); it takes {LEAST_PAIRS} pairs of trials of one arm whose figures differ."
            )
        verdicts = " ".join(one.verdict for one in rows)
        return (
            f"Can stopping early be trusted on this task? {verdicts} Trials that were stopped are not in these figures."
        )

    def _of(self, arm: str | None) -> tuple[Agreement, ...]:
        return self.pooled if arm is None else self.arms[arm]


def trust(curves: Mapping[str, Sequence[Curve]], *, epochs: int, rungs: Collection[int], mode: Mode = "max") -> Trust:
    """Compare the order at every rung with that at the end.

    A trial's figure at a rung is its first at or after it, before the last epoch; at its end, the best of its curve, by
    which the study ranks it. NaN is worst.

    Args:
        curves: of every arm, one for each completed trial; those that do not reach the last epoch are left out.
        epochs: epochs of a whole trial.
        rungs: epochs at which trials were stopped or waited; only those before the last epoch matter.

    Example:
        >>> curves = [{1: 0.1, 3: 0.2}, {1: 0.3, 3: 0.3}, {1: 0.2, 3: 0.4}]
        >>> trust({"defeat": curves}, epochs=3, rungs=(1,)).rows()
        [(1, 3, 0.3333333333333333)]
    """
    before = sorted(rung for rung in rungs if rung < epochs)
    points = {
        arm: {rung: [point for curve in those if (point := _point(curve, rung, epochs, mode))] for rung in before}
        for arm, those in curves.items()
    }
    return Trust(
        tuple(_agreement(rung, [by_rung[rung] for by_rung in points.values()]) for rung in before),
        {arm: tuple(_agreement(rung, [by_rung[rung]]) for rung in before) for arm, by_rung in points.items()},
    )


def _point(curve: Curve, rung: int, epochs: int, mode: Mode) -> Point | None:
    first = min((epoch for epoch in curve if rung <= epoch < epochs), default=None)
    if first is None or max(curve) < epochs:
        return None
    return merit(curve[first], mode), max(merit(value, mode) for value in curve.values())


def _agreement(rung: int, groups: Sequence[Sequence[Point]]) -> Agreement:
    """Of pairs within each group. The chance is the normal approximation with continuity correction.

    Formula:
        tau-b = S / sqrt((pairs - ties at the rung) (pairs - ties at the end)), S = same - reverse, each a sum over groups;
        the variance of S, if the rung says nothing, is the sum of n (n - 1) (2 n + 5) / 18 (with ties it is less).
    """
    same = reverse = at_rung = at_end = pairs = 0
    for group in groups:
        for (rung_a, end_a), (rung_b, end_b) in combinations(group, 2):
            pairs += 1
            at_rung += rung_a != rung_b
            at_end += end_a != end_b
            if rung_a != rung_b and end_a != end_b:
                agree = (rung_a < rung_b) == (end_a < end_b)
                same, reverse = same + agree, reverse + (not agree)
    trials = sum(len(group) for group in groups)
    if not at_rung or not at_end:
        return Agreement(rung, trials, pairs, same, None, None)
    variance = sum(len(group) * (len(group) - 1) * (2 * len(group) + 5) for group in groups) / 18
    chance = math.erfc((same - reverse - 1) / math.sqrt(2 * variance)) / 2
    return Agreement(rung, trials, pairs, same, (same - reverse) / math.sqrt(at_rung * at_end), chance)
