"""The race of a study: who its finalists are, and which of them gets a further seed."""

from __future__ import annotations

from kdbench.search.arms import race
from kdbench.search.trials import TrialState
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE, FIRST_VERSION, StudyPlan

LEAST = 3
"""Seeds without which nothing is said."""
LEVEL = 0.01
"""Of a look after a round. There are many looks: at 0.05 each, one race of six between equals would end in a verdict
(benchmarks/results/planted_race.csv), at 0.01 one of thirteen."""


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
        if not rows:
            return None
        if self.plan.version == FIRST_VERSION:
            seeds = range(self.plan.seeds)
            missing = ((b, n) for n in seeds for b in rows.values() if self.name(b, n) not in self._trials)
            return next(missing, None)
        where = self.standing()
        # Nobody stops before the least number of seeds, so these need not wait for each other.
        for offset in range(where.seeds, max(where.seeds + 1, self._least)):
            for name in where.going:
                if self.name(rows[name], offset) not in self._trials:
                    return rows[name], offset
        return None

    def standing(self) -> race.Standing:
        """Who is in the race, and why each other stopped."""
        finalists = self.finalists()
        base = next((best.id for best in finalists if best.arm == BASELINE), None)
        figures = {best.id: self.figures(best) for best in finalists}
        mode = metrics.mode(self.plan.task.metric)
        return race.standing(figures, base, mode=mode, least=self._least, most=self.plan.seeds, level=LEVEL)

    def figures(self, best: TrialState) -> dict[int, float | None]:
        """Seed -> figure on the report split, of the trainings of a finalist that have ended; None without a figure."""
        found = {}
        for offset in range(self.plan.seeds):
            trial = self._trials.get(self.name(best, offset))
            if trial is not None and trial.end is not None:
                figure = trial.summary.get(f"report/{best.recipe.metric}")
                found[trial.recipe.seed] = figure if trial.end == "completed" else None
        return found

    @property
    def _least(self) -> int:
        """Studies of the first version give every finalist every seed."""
        return self.plan.seeds if self.plan.version == FIRST_VERSION else min(LEAST, self.plan.seeds)
