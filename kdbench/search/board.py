"""The board of a study: what to start next, until everything that the plan says has ended.

What is next is a function of plan and ledger; carrying it out writes the ledger. So a resumed study goes on as it would
have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.search.arms.budget import Budget
from kdbench.search.arms.finals import Finals
from kdbench.search.arms.rounds import Round, Rounds
from kdbench.search.finding import Trained
from kdbench.search.proposals.of_study import ask_of, past_of, told_of
from kdbench.search.proposals.proposing import fresh
from kdbench.search.queue import Queue
from kdbench.search.reuse import reported
from kdbench.search.rungs.rules import Rules
from kdbench.search.trials import Decision, Listener, Trials, TrialState, last_costs
from kdbench.specs.recipe import Recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan

TEACHER = "teacher"
BY_HAND = "by hand"
"""The origin of values that a user gave with `kdbench enqueue`."""


@dataclass(frozen=True)
class Start:
    """A new trial begins, or is taken over."""

    trial: TrialState


@dataclass(frozen=True)
class Promote:
    """A trial that waits goes on."""

    trial: TrialState


@dataclass(frozen=True)
class Close:
    """Trials that wait and will not be promoted end."""

    trials: tuple[TrialState, ...]


Step = Start | Promote | Round | Close


class Board(Trials):
    """One study in the driver.

    Args:
        teacher_ready: whether the store has the teacher's weights already.
        evaluate: the recipe that evaluates a given teacher, whose figures are not known yet.
        finished: finds the training of a recipe that need not be trained again.
    """

    def __init__(
        self,
        plan: StudyPlan,
        folder: Path,
        *,
        teacher_ready: bool,
        evaluate: Recipe | None = None,
        finished: Callable[[Recipe], Trained | None] = lambda recipe: None,
        listeners: list[Listener],
    ) -> None:
        super().__init__(plan.study, folder, plan.resources, listeners)
        self._evaluate, self._finished = evaluate, finished
        self.teacher_ready = teacher_ready or not plan.teacher_train
        self._follow(plan)
        self._rules, self._queue, self._used_up = Rules(plan), Queue(folder), set[tuple[str, int]]()
        self._identities: dict[str, str] = {}
        """Of trials, computed once."""
        self.extensions: list[dict[str, Any]] = []
        """What was changed of the plan, in its order."""
        self.replay()

    def _follow(self, plan: StudyPlan) -> None:
        """Go by this plan from here on."""
        self.plan = plan
        self.budget = Budget(plan, self.trials)
        self.rounds = Rounds(plan, self.trials, self.budget)
        self.finals = Finals(plan, self.trials)

    def decide(self, trial: TrialState, epoch: int, value: float) -> Decision:
        """As the arm's scheduler says."""
        return self._rules.decide(trial, epoch, value)

    def teacher_stored(self, identity: str) -> None:
        """The study has one teacher, so it is that."""
        self.teacher_ready = True

    def teacher_of(self, trial: TrialState) -> str | None:
        """The study's; the baseline's rows say how far it is from it."""
        return self.plan.teacher.id if self.plan.teacher else None

    def headline(self) -> str:
        """Methods and task."""
        return f"{self.plan.title} on {self.plan.task.name}"

    def news(self) -> str | None:
        """The best of the methods with its distance to the baseline's best."""
        best, base = self.winner(), self.best(BASELINE)
        if best is not None and best.best is not None:
            text = f"best {best.id} {best.best:.3f}"
            if base is not None and base.best is not None and best is not base:
                text += f" ({best.best - base.best:+.3f} to {BASELINE})"
            return text
        return f"baseline {base.best:.3f}" if base is not None and base.best is not None else None

    def expected(self) -> tuple[int, int]:
        """Trials and epochs; the teacher has its own number of epochs."""
        plan = self.plan
        teacher = TEACHER in self.trials or self._first() is not None
        epochs_of_teacher = plan.task.full_teacher_schedule().epochs if teacher and plan.teacher_train else 0
        finals = (1 + plan.race) * plan.seeds if plan.seeds > 1 else 0
        trials = plan.baselines + self.rounds.expected() + finals
        return trials + teacher, trials * plan.task.schedule.epochs + epochs_of_teacher

    def best(self, arm: str) -> TrialState | None:
        """The completed search trial of an arm with the best value."""
        return self.finals.best(arm)

    def winner(self) -> TrialState | None:
        """The best of all arms; of the baseline where there are no others."""
        found = [best for arm in self.plan.arms if (best := self.best(arm.name)) is not None]
        return max(found, key=lambda t: t.merit, default=None) if self.plan.arms else self.best(BASELINE)

    # -- what next ----------------------------------------------------------------------------------------

    def next(self) -> TrialState | None:
        """The next trial to start, or None: wait, or `done`."""
        while not self.problem:
            self._finish_taking_over()
            again = self.unfinished()
            if again is not None:
                return again
            step = self._step()
            if step is None:
                return None
            started = self._carry_out(step)
            if started is not None:
                return started
        return None

    @property
    def problem(self) -> str | None:
        """Why the study cannot go on, if it cannot: without its teacher there is nothing to distil."""
        teacher = self.trials.get(TEACHER)
        if teacher is None or teacher.given or teacher.end in (None, "completed"):
            return None
        return f"the teacher's training ended as {teacher.end}: {teacher.reason}"

    @property
    def done(self) -> bool:
        """Nothing runs and nothing is left to start."""
        if any(trial.running for trial in self.trials.values()):
            return False
        if self.problem:
            return True
        if not self.teacher_ready or any(t.end is None and not t.paused for t in self.trials.values()):
            return False
        return self._step() is None

    def _step(self) -> Step | None:
        """What comes next; changes nothing."""
        first = self._first()
        if first is not None and TEACHER not in self.trials:
            return Start(TrialState(TEACHER, BASELINE, "teacher", 0, {}, first))
        plain = self._plain()
        if plain is not None:
            return plain
        if not self.teacher_ready:
            return None
        return self.rounds.first() or self._promotion() or self._proposal() or self._after()

    def _first(self) -> Recipe | None:
        """What comes before everything else: the teacher's training, or the evaluation of a given one."""
        return self._evaluate if self.teacher_ready else teacher_recipe(self.plan.task)

    def _plain(self) -> Step | None:
        if len(self._of(BASELINE)) >= self.plan.baselines or not self.budget.fits(BASELINE):
            return None
        return self._propose(BASELINE)

    def _promotion(self) -> Step | None:
        for arm in self.rounds.alive:
            name = self._rules.next(arm)
            if name is not None and self._rest_fits(name):
                return Promote(self.trials[name])
        return None

    def _proposal(self) -> Step | None:
        given = self._queue.next(sum(1 for t in self.trials.values() if t.origin == BY_HAND))
        for arm in self.rounds.wanting(given[0] if given else None):
            if self.budget.fits(arm, self.rounds.alive):
                found = self._propose(arm, given[1] if given and given[0] == arm and self._of(arm) else None)
                if found is not None:
                    return found
        return None

    def _after(self) -> Step | None:
        """What follows when the trials of a round have ended or wait."""
        if any(t.end is None and not t.paused for t in self.trials.values() if t.stage == "search"):
            return None
        for arm in self.rounds.alive:
            name = self._rules.leader(arm)
            if name is not None and self._rest_fits(name):
                return Promote(self.trials[name])
        further = self.rounds.further()
        if further is not None:
            return further
        waiting = tuple(t for t in self.trials.values() if t.paused)
        return Close(waiting) if waiting else self._final()

    def _final(self) -> Step | None:
        found = self.finals.next()
        if found is None:
            return None
        best, offset = found
        if not self.budget.fits(best.arm):
            return None
        recipe = best.recipe.model_copy(update={"seed": self.plan.seed + 1 + offset})
        name = self.finals.name(best, offset)
        return Start(TrialState(name, best.arm, "final", best.number, best.proposal, recipe))

    def _propose(self, arm: str, by_hand: dict[str, Any] | None = None) -> Start | None:
        """A new trial of an arm: by hand, from a list of points, or of the sampler; None where its space is used up."""
        mine, entry = self._of(arm), self.plan.arm(arm)
        number = len(mine)
        if (arm, number) in self._used_up:
            return None
        if by_hand is not None:
            return self._trial(arm, number, by_hand, BY_HAND)
        for trial in mine:
            if trial.id not in self._identities:
                self._identities[trial.id] = self._identity(arm, trial.proposal)
        known = {self._identities[trial.id] for trial in mine}
        past = [*(told_of(one) for one in (entry.known if entry else ())), *(past_of(trial) for trial in mine)]
        ask = ask_of(self.plan, arm, number)
        proposal = fresh(ask, past, lambda values: self._identity(arm, values), known)
        if proposal is None:
            self._used_up.add((arm, number))
            return None
        origin = next((p.source for p in (entry.points if entry else ()) if ask.point(p.proposal) == proposal), None)
        return self._trial(arm, number, proposal, origin if number else None)

    def _identity(self, arm: str, proposal: dict[str, Any]) -> str:
        """Of the recipe; 1 and 1.0 are the same."""
        alike = {k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in proposal.items()}
        return self.plan.recipe(arm, alike, self.plan.seed).hash

    def _trial(self, arm: str, number: int, proposal: dict[str, Any], origin: str | None) -> Start:
        recipe = self.plan.recipe(arm, proposal, self.plan.seed)
        return Start(TrialState(f"{arm}-{number:03d}", arm, "search", number, proposal, recipe, origin=origin))

    def first_trial(self, arm: str) -> TrialState:
        """The trial that an arm begins with."""
        step = self._propose(arm)
        assert step is not None
        return step.trial

    def _of(self, arm: str) -> Sequence[TrialState]:
        return self.rounds.of(arm)

    def _rest_fits(self, name: str) -> bool:
        trial = self.trials[name]
        return self.budget.fits(trial.arm, self.rounds.alive, 1 - max(trial.reports) / trial.epochs)

    # -- carrying it out ----------------------------------------------------------------------------------

    def _carry_out(self, step: Step) -> TrialState | None:
        """Write it down; the trial that is to run now, if any."""
        match step:
            case Start(trial):
                return self._begin(trial)
            case Promote(trial):
                self._write({"event": "promote", "trial": trial.id, "epoch": max(trial.reports)})
                return self._start(trial)
            case Close(trials):
                for trial in trials:
                    self.end(trial, "pruned", "never promoted", last_costs(trial))
            case Round():
                self._open_round(step)
        return None

    def _open_round(self, step: Round) -> None:
        for drop in step.drops:
            self._write({"event": "drop", **drop.plain()})
            self.tell(str(drop))
            for trial in self._of(drop.arm):
                if trial.paused:
                    self.end(trial, "pruned", "its arm was dropped", last_costs(trial))
        self._write({"event": "round", "number": step.number, "shares": step.shares})
        self.tell(str(step))

    def _begin(self, trial: TrialState) -> TrialState | None:
        """Start a trial, or take over what was trained before; None: it has ended with that."""
        known = self._finished(trial.recipe) if trial.stage != "teacher" and self.plan.reuse else None
        if known is None or (trial.stage == "final" and not reported(known)):
            return self._new(trial)
        self.end(self.take_over(trial, known), "completed", None, known.summary)
        return None

    def _finish_taking_over(self) -> None:
        """What a kill left half taken over."""
        for trial in [t for t in self.trials.values() if t.reused and t.end is None and not t.running]:
            known = self._finished(trial.recipe)
            if known is not None:
                self.end(self.take_over(trial, known), "completed", None, known.summary)

    def extend(self, changes: dict[str, Any]) -> None:
        """Go on with another plan from here.

        Args:
            changes: keys of the plan with their new values.
        """
        self._write({"event": "extend", "changes": changes})

    def apply_to_study(self, event: dict[str, Any]) -> None:
        """A round begins, an arm is dropped, the plan is extended."""
        if event["event"] == "extend":
            self.extensions.append(event["changes"])
            rounds = self.rounds
            self._follow(self.plan.changed(event["changes"], f"{self.ledger.path}, an extension"))
            self.rounds.go_on(rounds)
            self._rules.extend(self.plan)
            self._used_up.clear()
        else:
            self.rounds.apply(event)

    def _apply(self, event: dict[str, Any], live: bool = False) -> None:
        super()._apply(event, live)
        trial = self.trials.get(event.get("trial", ""))
        if trial is None:
            return
        if event["event"] == "trial":
            self._rules.begin(trial)
        elif event["event"] == "promote":
            self._rules.promote(trial)
        elif event["event"] == "end":
            self._rules.end(trial)
