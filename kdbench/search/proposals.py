"""Proposing a trial's values: Optuna's TPE, random, or the grid.

A proposal is a pure function of the study's seed, the trial's number and what is known by then. So a resumed study
proposes what it would have proposed, and nothing has to be saved beside the ledger.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kdbench.specs import metrics
from kdbench.specs.base import canonical_json
from kdbench.specs.space import Domain, choose, grid_points
from kdbench.specs.study import StudyPlan

if TYPE_CHECKING:
    import optuna

STARTUP_TRIALS = 8


@dataclass(frozen=True)
class Past:
    """An earlier trial of the same arm: what was proposed, how it ended, what it reported."""

    proposal: dict[str, Any]
    end: str | None
    value: float | None
    reports: dict[int, float] = field(default_factory=dict)


def propose(plan: StudyPlan, arm: str, number: int, past: list[Past]) -> dict[str, Any] | None:
    """Values for trial `number` (from 0) of an arm; None when a grid has no further point.

    Trial 0 has the published values. A pruned trial informs TPE as pruned, with what it reported; an infeasible
    or failed one as the worst.
    """
    domains, first = plan.domains(arm), plan.first(arm)
    fixed = plan.fixed if arm == plan.method else {}
    context = {**first, "detector": plan.detector}
    if plan.algorithm == "grid":
        return next(itertools.islice(grid_points(domains, fixed, context), number, None), None)
    if number == 0:
        return choose(domains, fixed, context, lambda name, _domain: first[name])
    import optuna

    seed = int(hashlib.sha256(f"{plan.seed}/{arm}/{number}".encode()).hexdigest()[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler: optuna.samplers.BaseSampler
        if plan.algorithm == "random":
            sampler = optuna.samplers.RandomSampler(seed=seed)
        else:
            sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True
            )
        study = optuna.create_study(
            direction="minimize" if metrics.mode(plan.task.metric) == "min" else "maximize", sampler=sampler
        )
        for trial in past:
            known = _as_optuna(trial, domains, fixed, context)
            if known is not None:
                study.add_trial(known)
        asked = study.ask()
        return choose(domains, fixed, context, lambda name, domain: _suggest(asked, name, domain))


def grid_size(plan: StudyPlan, arm: str) -> int:
    """How many points the grid of an arm has."""
    context = {**plan.first(arm), "detector": plan.detector}
    return sum(1 for _ in grid_points(plan.domains(arm), plan.fixed if arm == plan.method else {}, context))


def _suggest(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    if domain.choice is not None:
        # By its JSON text, because Optuna takes no lists as categories.
        return json.loads(trial.suggest_categorical(name, [canonical_json(option) for option in domain.choice]))
    if domain.or_ is not None and trial.suggest_categorical(f"{name}?", ["range", "plain"]) == "plain":
        return domain.or_ if domain.int_ is not None else float(domain.or_)
    if domain.int_ is not None:
        return trial.suggest_int(name, *domain.int_)
    low, high = domain.loguniform or domain.uniform or (0.0, 1.0)
    return float(f"{trial.suggest_float(name, low, high, log=domain.loguniform is not None):.6g}")


def _as_optuna(
    past: Past, domains: dict[str, Domain], fixed: dict[str, Any], context: dict[str, Any]
) -> optuna.trial.FrozenTrial | None:
    """The past trial as Optuna has it, or None if its values (published ones, say) lie outside the space."""
    import optuna

    params: dict[str, Any] = {}
    distributions: dict[str, optuna.distributions.BaseDistribution] = {}
    inside = True

    def pick(name: str, domain: Domain) -> Any:
        nonlocal inside
        value = past.proposal[name]
        inside = inside and domain.contains(value)
        if domain.choice is not None:
            params[name] = canonical_json(domain.option(value))
            distributions[name] = optuna.distributions.CategoricalDistribution(
                [canonical_json(o) for o in domain.choice]
            )
            return value
        if domain.or_ is not None:
            plain = value == domain.or_
            params[f"{name}?"] = "plain" if plain else "range"
            distributions[f"{name}?"] = optuna.distributions.CategoricalDistribution(["range", "plain"])
            if plain:
                return value
        params[name] = value
        if domain.int_ is not None:
            distributions[name] = optuna.distributions.IntDistribution(*domain.int_)
        else:
            low, high = domain.loguniform or domain.uniform or (0.0, 1.0)
            distributions[name] = optuna.distributions.FloatDistribution(low, high, log=domain.loguniform is not None)
        return value

    choose(domains, fixed, context, pick)
    if not inside:
        return None
    states = optuna.trial.TrialState
    state = {None: states.RUNNING, "completed": states.COMPLETE}.get(past.end, states.PRUNED)
    return optuna.trial.create_trial(
        state=state,
        value=past.value if state == states.COMPLETE else None,
        params=params,
        distributions=distributions,
        intermediate_values=past.reports if past.end in (None, "completed", "pruned") else {},
    )
