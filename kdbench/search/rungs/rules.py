"""The scheduler of each arm, behind one face: what a report means for a trial, and which waiting trial goes on."""

from __future__ import annotations

from kdbench.search.rungs.halving import Halving
from kdbench.search.rungs.median import Median
from kdbench.search.rungs.promotion import Promotion
from kdbench.search.trials import Decision, TrialState
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE, FIRST_VERSION, StudyPlan


class Rules:
    """Which trials of which arm go on. Arms never compete with each other, and the baseline's is left alone.

    What is told comes from the ledger, in its order, so a resumed study decides as it would have.
    """

    def __init__(self, plan: StudyPlan) -> None:
        self._stopping: dict[str, Halving | Median] = {}
        self._waiting: dict[str, Promotion] = {}
        self.extend(plan)

    def extend(self, plan: StudyPlan) -> None:
        """Take in the arms that are new."""
        epochs, mode = plan.task.schedule.epochs, metrics.mode(plan.task.metric)
        for arm in plan.names():
            if arm in self._stopping or arm in self._waiting or (arm == BASELINE and plan.version != FIRST_VERSION):
                continue
            if plan.scheduler == "asha":
                self._stopping[arm] = Halving(epochs, mode=mode)
            elif plan.scheduler == "median":
                self._stopping[arm] = Median(epochs, mode=mode)
            elif plan.scheduler == "promote":
                self._waiting[arm] = Promotion(epochs, mode=mode)

    def begin(self, trial: TrialState) -> None:
        """A trial is there. The published values of an arm are trained to their end, and so is what has been already."""
        if trial.stage == "search" and trial.arm in self._waiting and (trial.number == 0 or trial.reused):
            self._waiting[trial.arm].exempt(trial.id)

    def decide(self, trial: TrialState, epoch: int, value: float) -> Decision:
        """What becomes of a trial for what it reported."""
        if trial.stage != "search":
            return "go on"
        if trial.arm in self._waiting:
            return "pause" if self._waiting[trial.arm].report(trial.id, epoch, value) else "go on"
        rule = self._stopping.get(trial.arm)
        stop = rule is not None and rule.report(trial.id, epoch, value)
        return "stop" if stop and not trial.reused else "go on"

    def promote(self, trial: TrialState) -> None:
        """It goes on from where it waits."""
        self._waiting[trial.arm].promote(trial.id)

    def end(self, trial: TrialState) -> None:
        """It will not go on."""
        if trial.stage == "search" and trial.arm in self._waiting:
            self._waiting[trial.arm].gone(trial.id)

    def next(self, arm: str) -> str | None:
        """The waiting trial of an arm that may go on now."""
        return self._waiting[arm].next() if arm in self._waiting else None

    def leader(self, arm: str) -> str | None:
        """The waiting trial of an arm that no other has beaten: it goes on before the arm is judged."""
        return self._waiting[arm].leader() if arm in self._waiting else None
