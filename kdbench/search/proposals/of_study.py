"""A study's plan and trials as the question that a sampler is asked."""

from __future__ import annotations

from kdbench.search.proposals.ask import Ask, Past
from kdbench.search.trials import TrialState
from kdbench.specs import metrics
from kdbench.specs.space import grid_points
from kdbench.specs.study import Known, StudyPlan


def ask_of(plan: StudyPlan, arm: str, number: int) -> Ask:
    """The question for trial `number` (from 0) of an arm."""
    entry = plan.arm(arm)
    return Ask(
        algorithm=plan.algorithm,
        mode=metrics.mode(plan.task.metric),
        seed=plan.seed,
        arm=arm,
        number=number,
        domains=plan.domains(arm),
        fixed=plan.fixed(arm),
        first=plan.first(arm),
        detector=plan.detector,
        prior=plan.prior,
        points=[point.proposal for point in entry.points] if entry else (),
    )


def past_of(trial: TrialState) -> Past:
    """A trial as its arm's sampler knows it."""
    reports = {epoch: value for epoch, (value, _) in trial.reports.items()}
    return Past(trial.proposal, trial.end, trial.best, reports, trial.paused)


def told_of(known: Known) -> Past:
    """A trial of another study as the sampler is told it."""
    return Past(known.proposal, known.end, known.value, known.reports)


def grid_size(plan: StudyPlan, arm: str) -> int:
    """How many points the grid of an arm has."""
    ask = ask_of(plan, arm, 0)
    return sum(1 for _ in grid_points(ask.domains, ask.fixed, ask.context))
