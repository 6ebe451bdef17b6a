"""What a study may still spend: trials, or device-hours. Costs are those that stand in the ledger."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable

from kdbench.search.trials import TrialState
from kdbench.specs.study import BASELINE, StudyPlan

COST = "cost/device_hours"


def spent(trials: Iterable[TrialState]) -> float:
    """Device-hours of trials, whatever became of them; what was taken over from elsewhere cost nothing here."""
    return sum(_cost(trial) for trial in trials)


class Budget:
    """The device-hours of a study.

    Args:
        trials: of the study; grows with it.
    """

    def __init__(self, plan: StudyPlan, trials: dict[str, TrialState]) -> None:
        self.plan, self._trials = plan, trials

    def expected(self, arm: str) -> float:
        """Device-hours of one more trial of an arm: the mean of those that ran to their end, else by measured steps."""
        own = [
            _cost(t)
            for t in self._trials.values()
            if t.arm == arm and t.stage != "teacher" and t.end == "completed" and not t.reused
        ]
        if own:
            return statistics.fmean(own)
        entry = self.plan.arm(arm)
        return (entry.hours if entry else self.plan.baseline_hours) or 0.0

    def left(self, arms: Collection[str] = ()) -> float | None:
        """What nothing is planned for yet; None without a budget in hours.

        Args:
            arms: of which finalists are to come, besides the baseline's; their trainings are kept back.
        """
        if self.plan.hours is None:
            return None
        running = (t for t in self._trials.values() if t.running)
        promised = sum(max(0.0, self._whole(t) - _cost(t)) for t in running)
        return self.plan.hours - spent(self._trials.values()) - promised - self._finals(arms)

    def fits(self, arm: str, arms: Collection[str] = (), part: float = 1.0) -> bool:
        """Whether a trial of an arm, or the rest of one, may start.

        Args:
            part: the share of its epochs that is still to come.
        """
        left = self.left(arms)
        return left is None or part * self.expected(arm) <= left

    def _finals(self, arms: Collection[str]) -> float:
        if self.plan.seeds < 2 or not arms:
            return 0.0
        dearest = sorted((self.expected(arm) for arm in arms), reverse=True)[: self.plan.race]
        return self.plan.seeds * (self.expected(BASELINE) + sum(dearest))

    def _whole(self, trial: TrialState) -> float:
        if trial.stage == "teacher":
            return self.plan.teacher_hours or 0.0
        return self.expected(trial.arm)


def _cost(trial: TrialState) -> float:
    if trial.reused:
        return 0.0
    if COST in trial.summary:
        return trial.summary[COST]
    return trial.reports[max(trial.reports)][1].get(COST, 0.0) if trial.reports else 0.0
