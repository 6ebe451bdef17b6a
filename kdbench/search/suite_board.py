"""The board of a suite: its rows, seed after seed; what was trained elsewhere is taken over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kdbench.search.finding import Trained
from kdbench.search.reuse import Trainings, reported
from kdbench.search.trials import Listener, Trials, TrialState
from kdbench.specs.recipe import Recipe
from kdbench.specs.suite import PlannedRow, SuitePlan


class SuiteBoard(Trials):
    """One run of a suite in the driver.

    Args:
        stored: identities of the teachers that the store has.
        finished: finds what need not be trained again.
        evaluate: the recipes that evaluate given teachers, whose figures are not known yet.
    """

    def __init__(
        self,
        plan: SuitePlan,
        folder: Path,
        *,
        stored: Collection[str],
        finished: Trainings,
        evaluate: Sequence[Recipe] = (),
        listeners: list[Listener],
    ) -> None:
        super().__init__(plan.study, folder, plan.resources, listeners)
        self.plan, self._finished = plan, finished
        self._rows = {row.id: row for row in plan.rows}
        self._stored, self._evaluate = set(stored), evaluate
        self._todo = [(row, seed) for seed in range(plan.seeds) for row in plan.rows]
        self.replay()

    def next(self) -> TrialState | None:
        """Unfinished trials, then teachers, then rows whose teacher is there."""
        again = self.unfinished()
        if again is not None:
            return again
        for recipe in self._teachers():
            name = f"teacher-{recipe.hash}"
            if name not in self.trials:
                return self._begin(TrialState(name, "teacher", "teacher", 0, {}, recipe))
        for row, seed in self._todo:
            if _name(row, seed) not in self.trials and self._can_start(row):
                recipe = self.plan.recipe(row, seed)
                trial = self._begin(TrialState(_name(row, seed), recipe.method.name, "suite", seed, {}, recipe))
                if trial is not None:
                    return trial
        return None

    @property
    def done(self) -> bool:
        """Every row and seed has ended, or waits for a teacher that will never be there."""
        if any(trial.end is None for trial in self.trials.values()):
            return False
        if any(f"teacher-{recipe.hash}" not in self.trials for recipe in self._teachers()):
            return False
        return all(_name(row, seed) in self.trials or not self._can_start(row) for row, seed in self._todo)

    @property
    def problem(self) -> str | None:
        """Rows that could not be trained for want of their teacher."""
        ends = {trial.recipe.hash: trial for trial in self.trials.values() if trial.stage == "teacher"}
        for row in self.plan.rows:
            teacher = ends.get(row.recipe.teacher.id) if row.recipe.teacher else None
            if teacher is not None and teacher.end not in (None, "completed"):
                return f"{teacher.id} ended as {teacher.end}, so its rows could not be trained: {teacher.reason}"
        return None

    def teacher_stored(self, identity: str) -> None:
        """Rows that waited for it may start."""
        self._stored.add(identity)

    def teacher_of(self, trial: TrialState) -> str | None:
        """That of the row's task."""
        return self.row_of(trial).teacher

    def row_of(self, trial: TrialState) -> PlannedRow:
        """The row that a trial belongs to."""
        return self._rows[trial.id.rpartition("-seed")[0]]

    def headline(self) -> str:
        """Name, grade and size."""
        rows, plural = len(self.plan.rows), "s" if self.plan.seeds > 1 else ""
        return f"suite {self.plan.suite}, grade {self.plan.grade}, {rows} rows with {self.plan.seeds} seed{plural}"

    def news(self) -> str | None:
        """How many were not trained again."""
        reused = sum(1 for trial in self.trials.values() if trial.reused)
        return f"{reused} trained before" if reused else None

    def expected(self) -> tuple[int, int]:
        """Trials and epochs, the teachers' with them."""
        rows = [row.recipe.schedule.epochs for row in self.plan.rows]
        teachers = {name: trial.epochs for name, trial in self.trials.items() if trial.stage == "teacher"}
        for recipe in self._teachers():
            teachers.setdefault(f"teacher-{recipe.hash}", 0 if recipe.teacher else recipe.schedule.epochs)
        return len(rows) * self.plan.seeds + len(teachers), sum(rows) * self.plan.seeds + sum(teachers.values())

    def end(self, trial: TrialState, end: str, reason: str | None, summary: dict[str, float]) -> None:
        """As any trial's; a later row with the same recipe takes it over."""
        super().end(trial, end, reason, summary)
        folder, reports = self.folder / "trials" / trial.id, {k: figures for k, (_, figures) in trial.reports.items()}
        ended = (trial.end, trial.reason, trial.summary)
        root = self._finished.data_root
        self._finished.add([Trained(self.name, trial.id, trial.stage, trial.recipe, folder, root, reports, *ended)])

    def _teachers(self) -> list[Recipe]:
        """What comes before the rows: teachers that the store lacks, and the evaluation of given ones."""
        return [recipe for recipe in self.plan.teachers if recipe.hash not in self._stored] + list(self._evaluate)

    def _can_start(self, row: PlannedRow) -> bool:
        return row.recipe.teacher is None or row.recipe.teacher.id in self._stored

    def _begin(self, trial: TrialState) -> TrialState | None:
        """Start a trial, or take over what was trained before; None: it has ended with that."""
        known = self._finished(trial.recipe)
        if known is None or (trial.stage == "teacher" and not known.completed):
            return self._new(trial)
        began = self.take_over(trial, known)
        if not reported(known):
            return began  # its weights are measured on the report split by a worker
        self.end(began, "completed", None, known.summary)
        return None


def _name(row: PlannedRow, seed: int) -> str:
    return f"{row.id}-seed{seed}"
