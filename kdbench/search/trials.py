"""Trials of a study or a suite in the driver, and what every report means. Their state is the ledger."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kdbench.errors import RunError
from kdbench.search.finding import Trained
from kdbench.search.ledger import FILE, OF_THE_STUDY, Ledger
from kdbench.search.reuse import take_files
from kdbench.specs import metrics
from kdbench.specs.recipe import Recipe
from kdbench.specs.study import Resources

Stage = Literal["teacher", "search", "final", "suite"]
Decision = Literal["go on", "stop", "pause"]
REPORTED = ("teacher", "final", "suite")
"""Stages whose trainings are measured on the report split too."""
MAX_DEATHS = 3
"""How often a trial whose process or node died is started again before it counts as lost."""


@dataclass
class TrialState:
    """A trial as the driver knows it.

    Attributes:
        end: None until it has ended.
        paused: it waits on its checkpoint for a promotion.
        reused: the training that it was taken from.
        origin: where its values come from, if neither from the sampler nor the published ones.
    """

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
    reused: str | None = None
    paused: bool = False
    origin: str | None = None

    @property
    def given(self) -> str | None:
        """Identity of the given teacher that this trial evaluates; None for a trial that trains."""
        return self.recipe.teacher.id if self.stage == "teacher" and self.recipe.teacher else None

    @property
    def epochs(self) -> int:
        """How many it trains."""
        return 0 if self.given else self.recipe.schedule.epochs

    @property
    def best(self) -> float | None:
        return metrics.best(self.recipe.metric, [value for value, _ in self.reports.values()])

    @property
    def merit(self) -> float:
        """Of two trials the better one has more; one that never reported has least."""
        return -math.inf if self.best is None else metrics.merit(self.recipe.metric, self.best)


def last_costs(trial: TrialState) -> dict[str, float]:
    """What a trial that did not end by itself is known to have cost and reached."""
    if not trial.reports:
        return {}
    last = trial.reports[max(trial.reports)][1]
    costs = {k: v for k, v in last.items() if k.startswith("cost/")}
    reached = {} if trial.best is None else {f"best/{trial.recipe.metric}": trial.best}
    maps = [figures["val/mAP"] for _, figures in trial.reports.values() if "val/mAP" in figures]
    return {**({"best/mAP": max(maps)} if maps else {}), **reached, **costs}


class Listener:
    """Told of everything after it is in the ledger. Override what is of interest."""

    def on_start(self, trial: TrialState) -> None: ...

    def on_report(self, trial: TrialState, epoch: int) -> None: ...

    def on_end(self, trial: TrialState) -> None: ...

    def on_note(self, trial: TrialState, text: str) -> None: ...

    def on_news(self, text: str) -> None: ...


class Trials(ABC):
    """The trials of one study or suite, in the driver.

    Attributes:
        name: of the study or suite; its folder, and the `kdbench.study` of its runs.
        trials: by id, in the order of their start.
    """

    def __init__(self, name: str, folder: Path, resources: Resources, listeners: list[Listener]) -> None:
        self.name, self.folder, self.resources, self.listeners = name, folder, resources, listeners
        self.ledger = Ledger(folder / FILE)
        self.trials: dict[str, TrialState] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles what it is handed; the state is the ledger.

    def __deepcopy__(self, memo: Any) -> Trials:
        return self

    # -- what a study and a suite do differently --------------------------------------------------------------

    @abstractmethod
    def next(self) -> TrialState | None:
        """The next trial to start, or None: wait, or `done`."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Nothing runs and nothing is left to start."""

    @property
    @abstractmethod
    def problem(self) -> str | None:
        """Why it cannot go on, if it cannot."""

    @abstractmethod
    def teacher_stored(self, identity: str) -> None:
        """The store of teachers has this one now."""

    @abstractmethod
    def teacher_of(self, trial: TrialState) -> str | None:
        """Identity of the teacher that a trial is compared with; None where the task has none."""

    @abstractmethod
    def headline(self) -> str:
        """What is run, in a few words."""

    @abstractmethod
    def news(self) -> str | None:
        """The best so far, in a few words."""

    @abstractmethod
    def expected(self) -> tuple[int, int]:
        """How many trials there will be, and how many epochs they have together."""

    def decide(self, trial: TrialState, epoch: int, value: float) -> Decision:
        """What becomes of a trial for what it reported."""
        return "go on"

    def apply_to_study(self, event: dict[str, Any]) -> None:
        """An event of the study itself happened, or is read again. Suites have none."""
        raise KeyError(event["event"])

    # -- what happened ------------------------------------------------------------------------------------

    def replay(self) -> None:
        """Read the ledger: everything is as it was."""
        for number, event in enumerate(self.ledger.read(), 1):
            try:
                self._apply(event)
            except (KeyError, TypeError, AttributeError):
                raise RunError(
                    f"{self.ledger.path}: line {number} is damaged; restore the file from a copy or start a new study"
                ) from None

    def unfinished(self) -> TrialState | None:
        """A trial that was started in an earlier session and has not ended, now started again."""
        waiting = (t for t in self.trials.values() if t.end is None and not t.running and not t.paused)
        trial = next(waiting, None)
        return None if trial is None else self._start(trial)

    def report(self, trial: TrialState, epoch: int, value: float, metrics: dict[str, float]) -> bool:
        """An evaluation came in; True: its worker ends here. One that is known already changes nothing."""
        if trial.end is None and epoch not in trial.reports:
            decision = self.decide(trial, epoch, value)
            event = {"event": "report", "trial": trial.id, "epoch": epoch, "value": value, "metrics": metrics}
            event["stop"] = decision == "stop"
            self._write({**event, "pause": True} if decision == "pause" else event)
            for listener in self.listeners:
                listener.on_report(trial, epoch)
        return (trial.stop or trial.paused) and epoch == max(trial.reports, default=0)

    def end(self, trial: TrialState, end: str, reason: str | None, summary: dict[str, float]) -> None:
        """A trial has ended, as one of the five end states."""
        if trial.end is not None:
            return
        trial.running = False
        self._write({"event": "end", "trial": trial.id, "end": end, "reason": reason, "summary": summary})
        for listener in self.listeners:
            listener.on_end(trial)

    def note(self, trial: TrialState, text: str) -> None:
        """Something that a user should know about a trial that goes on."""
        for listener in self.listeners:
            listener.on_note(trial, text)

    def tell(self, text: str) -> None:
        """Something that a user should know about the study."""
        for listener in self.listeners:
            listener.on_news(text)

    def retry(self, ends: tuple[str, ...]) -> int:
        """Open again the trials that ended as one of `ends`; how many."""
        again = [t for t in self.trials.values() if t.end in ends]
        for trial in again:
            self._write({"event": "retry", "trial": trial.id})
        return len(again)

    def reopen(self, trial: TrialState) -> None:
        """What an ended trial left is gone: it is trained again."""
        self._write({"event": "retry", "trial": trial.id})

    def abandon(self) -> list[TrialState]:
        """The workers are gone: what was running waits to be started again."""
        gone = [trial for trial in self.trials.values() if trial.running]
        for trial in gone:
            trial.running = False
        return gone

    def settle(self) -> None:
        """After reading the ledger: a trial that was told to stop and did not live to say so has been pruned."""
        for trial in list(self.trials.values()):
            if trial.stop and trial.end is None:
                self.end(trial, "pruned", None, {})

    def take_over(self, trial: TrialState, known: Trained) -> TrialState:
        """A trial with the files and the curve of a training of the same recipe; whoever calls ends it."""
        trial.reused = known.name
        take_files(known, self.folder / "trials" / trial.id)
        began = self.trials.get(trial.id) or self._new(trial)
        for epoch, figures in sorted(known.reports.items()):
            self.report(began, epoch, figures[f"val/{trial.recipe.metric}"], figures)
        return began

    def _new(self, trial: TrialState) -> TrialState:
        return self._start(self._add(trial))

    def _add(self, trial: TrialState) -> TrialState:
        event = {
            "event": "trial",
            "trial": trial.id,
            "arm": trial.arm,
            "stage": trial.stage,
            "number": trial.number,
            "proposal": trial.proposal,
            "recipe": trial.recipe.plain(),
        }
        told = {key: value for key in ("reused", "origin") if (value := getattr(trial, key))}
        self._write({**event, **told})
        self.trials[trial.id].recipe = trial.recipe  # the same, but one that shares the task's parts with all others
        return self.trials[trial.id]

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
        if kind in OF_THE_STUDY:
            self.apply_to_study(event)
            return
        if kind == "trial":
            recipe = Recipe.parse(event["recipe"], f"{self.ledger.path}, trial {event['trial']}")
            self.trials[event["trial"]] = TrialState(
                event["trial"],
                event["arm"],
                event["stage"],
                event["number"],
                event["proposal"],
                recipe,
                reused=event.get("reused"),
                origin=event.get("origin"),
            )
            return
        trial = self.trials[event["trial"]]
        if kind == "report":
            trial.reports[event["epoch"]] = (event["value"], event["metrics"])
            trial.stop, trial.paused = event["stop"], event.get("pause", False)
            if trial.paused:
                trial.running = False
            if not live:
                self.decide(trial, event["epoch"], event["value"])
        elif kind == "end":
            trial.end, trial.reason, trial.summary = event["end"], event["reason"], event["summary"]
            trial.paused = False
        elif kind == "retry":
            trial.end = trial.reason = None
        elif kind == "promote":
            trial.paused = False
