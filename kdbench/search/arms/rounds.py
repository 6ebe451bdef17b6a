"""Who gets how many trials: the arms of a study, round by round, or all alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdbench.search.arms import allocation, patience
from kdbench.search.arms.budget import Budget
from kdbench.search.trials import TrialState
from kdbench.specs import metrics
from kdbench.specs.study import StudyPlan

LEAST_HOURS = 1e-9
"""Of a trial: none costs nothing."""


@dataclass(frozen=True)
class Drop:
    """An arm that gets no further trials.

    Attributes:
        figure: its best; None where no trial of it gave any.
        cut: the best of the last arm that stayed.
    """

    arm: str
    round: int
    figure: float | None
    cut: float | None

    def plain(self) -> dict[str, Any]:
        """As the ledger has it."""
        return {"arm": self.arm, "round": self.round, "figure": self.figure, "cut": self.cut}

    def __str__(self) -> str:
        best = "no trial gave a figure" if self.figure is None else f"best {self.figure:.3f}"
        cut = "" if self.cut is None else f", the last that stays has {self.cut:.3f}"
        return f"{self.arm} is dropped after round {self.round}: {best}{cut}"


@dataclass(frozen=True)
class Round:
    """A round begins: every arm that is left gets so many trials."""

    number: int
    shares: dict[str, int]
    drops: tuple[Drop, ...] = ()

    def __str__(self) -> str:
        return f"round {self.number}: " + ", ".join(f"{count} of {arm}" for arm, count in self.shares.items())


class Rounds:
    """The allocation of one study, from its trials and the rounds and drops in its ledger.

    Args:
        trials: of the study; grows with it.
    """

    def __init__(self, plan: StudyPlan, trials: dict[str, TrialState], budget: Budget) -> None:
        self.plan, self._trials, self._budget = plan, trials, budget
        self._halving = plan.allocate == "halving" and len(plan.arms) > 1
        self.drops: dict[str, Drop] = {}
        self.rounds: list[Round] = []
        self._quota: dict[str, int] = {}
        self._last = allocation.number_of_rounds(max(1, len(plan.arms)))
        """The number of the last round."""

    def of(self, arm: str) -> Sequence[TrialState]:
        """The search trials of an arm, in their order."""
        return [t for t in self._trials.values() if t.arm == arm and t.stage == "search"]

    @property
    def alive(self) -> list[str]:
        """The arms that are not dropped, in the plan's order."""
        return [arm.name for arm in self.plan.arms if arm.name not in self.drops]

    def figure(self, arm: str) -> float | None:
        """The best that any trial of an arm has reported, however it ended."""
        best = max((t for t in self.of(arm) if t.best is not None), key=lambda t: t.merit, default=None)
        return best.best if best else None

    def expected(self) -> int:
        """How many trials of the arms there will be, as far as that can be told."""
        if self.plan.trials is not None:
            return self.plan.trials
        count = sum(len(self.of(arm.name)) for arm in self.plan.arms)
        costs = [self._budget.expected(arm) for arm in self.alive]
        left = self._budget.left(self.alive) or 0.0
        return count + (int(left / (sum(costs) / len(costs))) if costs and sum(costs) > 0 and left > 0 else 0)

    def wanting(self, first: str | None) -> list[str]:
        """The arms that get a further trial, the next one first.

        Args:
            first: an arm for which a user has given values.
        """
        counts = {arm: len(self.of(arm)) for arm in self.alive}
        left = self._left()
        if (left is not None and left < 1) or self._no_gain():
            return []
        open_ = [arm for arm in self.alive if not self._halving or counts[arm] < self._quota.get(arm, 0)]
        # The arm that has had fewest of its share; a user's own values come before all but an arm's published ones.
        share = {arm: self._quota.get(arm, 0) - counts[arm] for arm in open_}
        order = sorted(open_, key=lambda arm: -share[arm] if self._halving else counts[arm])
        if first is not None and first in counts and counts[first]:
            order = [first, *(arm for arm in order if arm != first)]
        return order

    def first(self) -> Round | None:
        """The first round, where there are rounds and none has begun."""
        return self._next_round(()) if self._halving and not self.rounds else None

    def further(self) -> Round | None:
        """The round after the one that is over, with who is dropped; None where it was the last."""
        if not self._halving or not self.rounds or self._no_gain():
            return None
        figures = {arm: self.figure(arm) for arm in self.alive}
        kept, dropped = allocation.cut(figures, self.plan.noise, metrics.mode(self.plan.task.metric))
        if self.rounds[-1].number >= self._last:
            return None
        number, bar = self.rounds[-1].number, figures[kept[-1]] if kept else None
        return self._next_round(tuple(Drop(arm, number, figures[arm], bar) for arm in dropped))

    def apply(self, event: dict[str, Any]) -> None:
        """A round or a drop of the ledger."""
        if event["event"] == "drop":
            self.drops[event["arm"]] = Drop(event["arm"], event["round"], event["figure"], event.get("cut"))
        else:
            self.rounds.append(Round(event["number"], event["shares"]))
            self._quota = {arm: len(self.of(arm)) + count for arm, count in event["shares"].items()}

    def go_on(self, before: Rounds) -> None:
        """Take over what was, after the plan was extended: as many rounds again as the arms that are left need."""
        self.drops, self.rounds, self._quota = before.drops, before.rounds, before._quota
        done = self.rounds[-1].number if self.rounds else 0
        self._last = done + allocation.number_of_rounds(max(1, len(self.alive)))

    def _next_round(self, drops: tuple[Drop, ...]) -> Round | None:
        number = self.rounds[-1].number + 1 if self.rounds else 1
        gone = {drop.arm for drop in drops}
        arms = [arm for arm in self.alive if arm not in gone]
        standing = allocation.ranked({arm: self.figure(arm) for arm in arms}, metrics.mode(self.plan.task.metric))
        shares = self._shares(standing, self._last - number + 1)
        return Round(number, {arm: shares[arm] for arm in arms}, drops) if any(shares.values()) else None

    def _shares(self, standing: list[str], rounds_left: int) -> dict[str, int]:
        """How many trials each arm gets, by trials, by device-hours, or by whichever is scarcer."""
        found = []
        left = self._left()
        if left is not None:
            found.append(allocation.shares(standing, rounds_left, left))
        hours = self._budget.left(standing)
        if hours is not None:
            costs = {arm: max(self._budget.expected(arm), LEAST_HOURS) for arm in standing}
            found.append(allocation.shares_by_hours(costs, rounds_left, max(0.0, hours)))
        return min(found, key=lambda shares: sum(shares.values()))

    def _left(self) -> int | None:
        if self.plan.trials is None:
            return None
        return self.plan.trials - sum(len(self.of(arm.name)) for arm in self.plan.arms)

    def _no_gain(self) -> bool:
        if self.plan.patience is None:
            return False
        values = {arm: [t.best for t in self.of(arm) if t.end] for arm in self.alive}
        return patience.exhausted(values, self.plan.patience, self.plan.noise, metrics.mode(self.plan.task.metric))
