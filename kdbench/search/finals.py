"""The race of a study: who its finalists are, and which of them gets a further seed."""

from __future__ import annotations

from kdbench.search import race
from kdbench.search.trials import TrialState
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE, FIRST_VERSION, StudyPlan

LEAST = 3
"""Seeds without which nothing is said."""


class Finals:
    """The finalists of one study: the best recipe of the best arms and of the baseline, trained again with fresh seeds.

    Args:
        trials: of the study; grows with it.
    """

    def __init__(self, plan: StudyPlan, trials: dict[str, TrialState]) -> None:
        self.plan, self._trials = plan, trials

    def best(self, arm: str) -> TrialState | None:
        """The completed search trial of an arm with the best value."""
        ended = [t for t in self._trials.values() if t.arm == arm and t.stage == "search" and t.end == "completed"]
        return max(ended, key=lambda t: (t.merit, -t.number), default=None)

    @staticmethod
    def name(best: TrialState, offset: int) -> str:
        """Of the training of a finalist with the seed of that number."""
        return f"{best.id}-seed{offset}"

    def finalists(self) -> list[TrialState]:
        """The baseline's, then those of the best arms, the best first."""
        if self.plan.seeds < 2:
            return []
        found = [best for arm in self.plan.arms if (best := self.best(arm.name)) is not None]
        found.sort(key=lambda t: -t.merit)
        base = self.best(BASELINE)
        return [*([base] if base else []), *found[: self.plan.race]]

    def next(self) -> tuple[TrialState, int] | None:
        """A finalist and the number of the seed that it is trained with next; None: wait, or the race is over."""
        rows = {best.id: best for best in self.finalists()}
        open_ = list(rows)
        for offset in range(self.plan.seeds):
            missing = next((name for name in open_ if self.name(rows[name], offset) not in self._trials), None)
            if missing is not None:
                return rows[missing], offset
            if self.plan.version == FIRST_VERSION or offset + 1 < LEAST:
                continue
            if any(self._trials[self.name(rows[name], offset)].end is None for name in open_):
                return None
            open_ = self._open(rows, offset + 1)
        return None

    def stopped(self) -> dict[str, str]:
        """Finalists that got no further seed, and why."""
        rows = {best.id: best for best in self.finalists()}
        return dict(self._standing(rows, self.plan.seeds).stopped)

    def figures(self, best: TrialState, seeds: int) -> dict[int, float]:
        """Seed -> figure on the report split, of a finalist's first `seeds` trainings that gave one."""
        found = {}
        for offset in range(seeds):
            trial = self._trials.get(self.name(best, offset))
            figure = trial.summary.get(f"report/{best.recipe.metric}") if trial and trial.end == "completed" else None
            if trial is not None and figure is not None:
                found[trial.recipe.seed] = figure
        return found
