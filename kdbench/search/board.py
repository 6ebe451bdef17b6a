"""The board of a study: its trials, what to start next, and what every report means. Its state is the ledger."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kdbench.search.halving import Halving
from kdbench.search.ledger import FILE, Ledger
from kdbench.search.proposals import Past, propose
from kdbench.specs import metrics
from kdbench.specs.recipe import Recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan

TEACHER = "teacher"
Stage = Literal["teacher", "search", "final"]


@dataclass
class TrialState:
    """A trial as the driver knows it. `end` is None until it has ended."""

    id: str
    arm: str
    stage: Stage
    number: int
    proposal: dict[str, Any]
    recipe: Recipe
    reports: dict[int, tuple[float, dict[str, float]]] = field(default_factory=dict)
    stop: bool = False
    end: str | None = None
    reason: str | None = None
    summary: dict[str, float] = field(default_factory=dict)
    running: bool = False
    started: float = 0.0

    @property
    def best(self) -> float | None:
        return metrics.best(self.recipe.metric, [value for value, _ in self.reports.values()])

    @property
    def merit(self) -> float:
        """Of two trials the better one has more; one that never reported has least."""
        return -math.inf if self.best is None else metrics.merit(self.recipe.metric, self.best)


class Listener:
    """Told of everything after it is in the ledger. Override what is of interest."""

    def on_start(self, trial: TrialState) -> None: ...

    def on_report(self, trial: TrialState, epoch: int) -> None: ...

    def on_end(self, trial: TrialState) -> None: ...


class Board:
    """One study in the driver.

    Args:
        teacher_ready: whether the store has the teacher's weights already.
    """

    def __init__(self, plan: StudyPlan, folder: Path, *, teacher_ready: bool, listeners: list[Listener]) -> None:
        self.plan, self.folder, self.listeners = plan, folder, listeners
        self.teacher_ready = teacher_ready or not plan.teacher_train
        self.ledger = Ledger(folder / FILE)
        self.trials: dict[str, TrialState] = {}
        epochs, mode = plan.task.schedule.epochs, metrics.mode(plan.task.metric)
        self._halving = {arm: Halving(epochs, mode=mode) for arm in plan.arms()} if plan.scheduler == "asha" else {}
        for event in self.ledger.read():
            self._apply(event)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles what it is handed; the board's state is the ledger.

    def __deepcopy__(self, memo: Any) -> Board:
        return self

    # -- what next ----------------------------------------------------------------------------------------

    def next(self) -> TrialState | None:
        """The next trial to start, or None: wait, or `done`."""
        if self.problem:
            return None
        for trial in self.trials.values():
            if trial.end is None and not trial.running:
                return self._start(trial)
        if not self.teacher_ready and TEACHER not in self.trials:
            recipe = teacher_recipe(self.plan.task)
            return self._new(TrialState(TEACHER, BASELINE, "teacher", 0, {}, recipe))
        for arm in self.plan.arms():
            if arm == BASELINE or self.teacher_ready:
                fresh = self._next_of(arm)
                if fresh is not None:
                    return fresh
        if self._searched():
            return self._next_final()
        return None

    @property
    def problem(self) -> str | None:
        """Why the study cannot go on, if it cannot: without its teacher there is nothing to distil."""
        teacher = self.trials.get(TEACHER)
        if teacher is None or teacher.end in (None, "completed"):
            return None
        return f"the teacher's training ended as {teacher.end}: {teacher.reason}"

    @property
    def done(self) -> bool:
        """Nothing runs and nothing is left to start."""
        if any(trial.running for trial in self.trials.values()):
            return False
        if self.problem:
            return True
        return self.teacher_ready and self._searched() and not self._missing_finals()

    def _next_of(self, arm: str) -> TrialState | None:
        mine = [t for t in self.trials.values() if t.arm == arm and t.stage == "search"]
        number = len(mine)
        if number >= self.plan.count(arm) or self._exhausted(arm):
            return None
        past = [
            Past(t.proposal, t.end, t.best, {epoch: value for epoch, (value, _) in t.reports.items()}) for t in mine
        ]
        proposal = propose(self.plan, arm, number, past)
        if proposal is None:
            return None
        recipe = self.plan.recipe(arm, proposal, self.plan.seed)
        return self._new(TrialState(f"{arm}-{number:03d}", arm, "search", number, proposal, recipe))

    def _exhausted(self, arm: str) -> bool:
        number = sum(1 for t in self.trials.values() if t.arm == arm and t.stage == "search")
        return self.plan.algorithm == "grid" and propose(self.plan, arm, number, []) is None

    def _searched(self) -> bool:
        for arm in self.plan.arms():
            mine = [t for t in self.trials.values() if t.arm == arm and t.stage == "search"]
            if any(t.end is None for t in mine):
                return False
            if len(mine) < self.plan.count(arm) and not self._exhausted(arm):
                return False
        return True

    def _missing_finals(self) -> list[tuple[TrialState, int]]:
        """Finalists: the best of each arm, with each seed; seed number 0 is the search's own."""
        if self.plan.seeds < 2:
            return []
        missing = []
        for arm in self.plan.arms():
            best = self.best(arm)
            if best is not None:
                seeds = range(self.plan.seeds)
                missing += [(best, seed) for seed in seeds if f"{best.id}-seed{seed}" not in self.trials]
        return missing

    def _next_final(self) -> TrialState | None:
        for best, offset in self._missing_finals():
            recipe = best.recipe.model_copy(update={"seed": self.plan.seed + 1 + offset})
            return self._new(
                TrialState(f"{best.id}-seed{offset}", best.arm, "final", best.number, best.proposal, recipe)
            )
        return None

    def best(self, arm: str) -> TrialState | None:
        """The completed search trial of an arm with the best value."""
        ended = [t for t in self.trials.values() if t.arm == arm and t.stage == "search" and t.end == "completed"]
        return max(ended, key=lambda t: (t.merit, -t.number), default=None)

    # -- what happened ------------------------------------------------------------------------------------

    def report(self, trial: TrialState, epoch: int, value: float, metrics: dict[str, float]) -> bool:
        """An evaluation came in; True: stop the trial. One that is known already changes nothing."""
        if trial.end is None and epoch not in trial.reports:
            stop = False
            if trial.stage == "search" and trial.arm in self._halving:
                stop = self._halving[trial.arm].report(trial.id, epoch, value)
            self._write(
                {"event": "report", "trial": trial.id, "epoch": epoch, "value": value, "metrics": metrics, "stop": stop}
            )
            for listener in self.listeners:
                listener.on_report(trial, epoch)
        return trial.stop and epoch == max(trial.reports, default=0)

    def end(self, trial: TrialState, end: str, reason: str | None, summary: dict[str, float]) -> None:
        """A trial has ended, as one of the five end states."""
        if trial.end is not None:
            return
        trial.running = False
        self._write({"event": "end", "trial": trial.id, "end": end, "reason": reason, "summary": summary})
        for listener in self.listeners:
            listener.on_end(trial)

    def retry(self, ends: tuple[str, ...]) -> int:
        """Open again the trials that ended as one of `ends`; how many."""
        again = [t for t in self.trials.values() if t.end in ends]
        for trial in again:
            self._write({"event": "retry", "trial": trial.id})
        return len(again)

    def settle(self) -> None:
        """After reading the ledger: a trial that was told to stop and did not live to say so has been pruned."""
        for trial in list(self.trials.values()):
            if trial.stop and trial.end is None:
                self.end(trial, "pruned", None, {})

    def _new(self, trial: TrialState) -> TrialState:
        self._write(
            {
                "event": "trial",
                "trial": trial.id,
                "arm": trial.arm,
                "stage": trial.stage,
                "number": trial.number,
                "proposal": trial.proposal,
                "recipe": trial.recipe.plain(),
            }
        )
        return self._start(self.trials[trial.id])

    def _start(self, trial: TrialState) -> TrialState:
        trial.running, trial.started = True, time.time()
        for listener in self.listeners:
            listener.on_start(trial)
        return trial

    def _write(self, event: dict[str, Any]) -> None:
        event["time"] = round(time.time(), 3)
        self.ledger.append(event)
        self._apply(event, live=True)

    def _apply(self, event: dict[str, Any], live: bool = False) -> None:
        kind = event["event"]
        if kind == "trial":
            recipe = Recipe.parse(event["recipe"], f"{self.ledger.path}, trial {event['trial']}")
            self.trials[event["trial"]] = TrialState(
                event["trial"], event["arm"], event["stage"], event["number"], event["proposal"], recipe
            )
            return
        trial = self.trials[event["trial"]]
        if kind == "report":
            trial.reports[event["epoch"]] = (event["value"], event["metrics"])
            trial.stop = event["stop"]
            if not live and trial.stage == "search" and trial.arm in self._halving:
                self._halving[trial.arm].report(trial.id, event["epoch"], event["value"])
        elif kind == "end":
            trial.end, trial.reason, trial.summary = event["end"], event["reason"], event["summary"]
        elif kind == "retry":
            trial.end = trial.reason = None
