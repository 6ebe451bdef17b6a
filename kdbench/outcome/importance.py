"""How much each searched parameter matters: Optuna's fANOVA over the completed trials, handed on as plain data."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kdbench.leaderboard.page.importance import Importance
from kdbench.leaderboard.page.searched import Param, Searched, searches
from kdbench.tracking.reader import Run

if TYPE_CHECKING:
    import optuna

FEWEST = 4
"""Completed trials below which a share would be a matter of chance."""


def importances(trials: Iterable[Run]) -> dict[tuple[str, str, str], Importance]:
    """The importance of the parameters of each search, by study, method and metric.

    Example:
        >>> importances(board.trials)["defeat-shapes", "defeat", "mAP"].shares
        {'neck_fg_weight': 0.71, 'neck_bg_weight': 0.29}
    """
    return {(one.study, one.method, one.metric): importance(one) for one in searches(trials)}


def importance(search: Searched) -> Importance:
    """The shares of one search, or why there are none."""
    figures = search.figures()
    varied = [param for param in search.params if len(set(search.values(param))) > 1]
    if not varied:
        return Importance(trials=len(figures), reason="no parameter was varied")
    if len(varied) == 1:
        return Importance(trials=len(figures), reason=f"only {varied[0].name} was varied, so there is nothing to share")
    if len(figures) < FEWEST:
        return Importance(trials=len(figures), reason=f"needs {FEWEST} completed trials, has {len(figures)}")
    if len(set(figures)) == 1:
        return Importance(trials=len(figures), reason="every trial has the same figure")
    shares = _fanova(search, varied)
    ordered = sorted(varied, key=lambda param: -shares[param.key])
    return Importance({param.name: shares[param.key] for param in ordered}, len(figures))


def _fanova(search: Searched, params: list[Param]) -> dict[str, float]:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize")
        columns = {param.key: _column(search, param) for param in params}
        for i, figure in enumerate(search.figures()):
            study.add_trial(
                optuna.trial.create_trial(
                    params={key: values[i] for key, (values, _) in columns.items()},
                    distributions={key: distribution for key, (_, distribution) in columns.items()},
                    value=figure,
                )
            )
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {key: float(found.get(key, 0.0)) for key in columns}


def _column(search: Searched, param: Param) -> tuple[list[Any], optuna.distributions.BaseDistribution]:
    """A parameter's values, one for each trial, and the range or the choices that they span."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    values = search.values(param)
    if param.scale == "choice" or None in values:
        texts = [str(value) for value in values]
        return texts, CategoricalDistribution(sorted(set(texts)))
    return values, FloatDistribution(min(values), max(values), log=param.scale == "log" and min(values) > 0)
