"""The board of a study: what to start next, until everything that the plan says has ended."""

from __future__ import annotations

from pathlib import Path

from kdbench.search.halving import Halving
from kdbench.search.proposals import Past, propose
from kdbench.search.trials import Listener, Trials, TrialState
from kdbench.specs import metrics
from kdbench.specs.recipe import Recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan

TEACHER = "teacher"


class Board(Trials):
    """One study in the driver.

    Args:
        teacher_ready: whether the store has the teacher's weights already.
        evaluate: the recipe that evaluates a given teacher, whose figures are not known yet.
    """

    def __init__(
        self,
        plan: StudyPlan,
        folder: Path,
        *,
        teacher_ready: bool,
        evaluate: Recipe | None = None,
        listeners: list[Listener],
    ) -> None:
        super().__init__(plan.study, folder, plan.resources, listeners)
        self.plan, self._evaluate = plan, evaluate
        self.teacher_ready = teacher_ready or not plan.teacher_train
        epochs, mode = plan.task.schedule.epochs, metrics.mode(plan.task.metric)
        self._halving = {arm: Halving(epochs, mode=mode) for arm in plan.arms()} if plan.scheduler == "asha" else {}
        self.replay()

    def stops(self, trial: TrialState, epoch: int, value: float) -> bool:
        """Successive halving, arm by arm."""
        if trial.stage != "search" or trial.arm not in self._halving:
            return False
        return self._halving[trial.arm].report(trial.id, epoch, value)

    def teacher_stored(self, identity: str) -> None:
        """The study has one teacher, so it is that."""
        self.teacher_ready = True

    def teacher_of(self, trial: TrialState) -> str | None:
        """The study's; the baseline's rows say how far it is from it."""
        return self.plan.teacher.id if self.plan.teacher else None

    def headline(self) -> str:
        """Method and task."""
        return f"{self.plan.method} on {self.plan.task.name}"

    def news(self) -> str | None:
        """The best of the method with its distance to the baseline's best."""
        best, base = self.best(self.plan.method), self.best(BASELINE)
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
        finals = len(plan.arms()) * plan.seeds if plan.seeds > 1 else 0
        trials = sum(plan.count(arm) for arm in plan.arms()) + finals
        epochs = trials * plan.task.schedule.epochs
        return trials + teacher, epochs + epochs_of_teacher

    # -- what next ----------------------------------------------------------------------------------------

    def next(self) -> TrialState | None:
        """The next trial to start, or None: wait, or `done`."""
        if self.problem:
            return None
        again = self.unfinished()
        if again is not None:
            return again
        first = self._first()
        if first is not None and TEACHER not in self.trials:
            return self._new(TrialState(TEACHER, BASELINE, "teacher", 0, {}, first))
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
        if self._evaluate is not None and TEACHER not in self.trials:
            return False
        return self.teacher_ready and self._searched() and not self._missing_finals()

    def _first(self) -> Recipe | None:
        """What comes before everything else: the teacher's training, or the evaluation of a given one."""
        return self._evaluate if self.teacher_ready else teacher_recipe(self.plan.task)

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
