"""Proposals of a study of one method: its plan as the question that a sampler is asked."""

from __future__ import annotations

from typing import Any

from kdbench.search import proposing
from kdbench.search.ask import STARTUP_TRIALS, Ask, Past
from kdbench.specs import metrics
from kdbench.specs.space import grid_points
from kdbench.specs.study import StudyPlan

__all__ = ["STARTUP_TRIALS", "Past", "ask_of", "grid_size", "propose"]


def ask_of(plan: StudyPlan, arm: str, number: int) -> Ask:
    """The question for trial `number` (from 0) of an arm."""
    return Ask(
        algorithm=plan.algorithm,
        mode=metrics.mode(plan.task.metric),
        seed=plan.seed,
        arm=arm,
        number=number,
        domains=plan.domains(arm),
        fixed=plan.fixed if arm == plan.method else {},
        first=plan.first(arm),
        detector=plan.detector,
    )


def propose(plan: StudyPlan, arm: str, number: int, past: list[Past]) -> dict[str, Any] | None:
    """Values for trial `number` (from 0) of an arm; None when a grid has no further point."""
    return proposing.propose(ask_of(plan, arm, number), past)


def grid_size(plan: StudyPlan, arm: str) -> int:
    """How many points the grid of an arm has."""
    ask = ask_of(plan, arm, 0)
    return sum(1 for _ in grid_points(ask.domains, ask.fixed, ask.context))
