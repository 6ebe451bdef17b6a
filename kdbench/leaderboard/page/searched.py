"""Which parameters a search varied, and on what kind of scale: worked out from the trials' params."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from kdbench.errors import InputError
from kdbench.leaderboard.configs import figure, metric_of
from kdbench.specs import resources
from kdbench.specs.space import Domain, SpaceSpec, load_space
from kdbench.tracking.reader import Run

Scale = Literal["linear", "log", "choice"]
METHOD, TRAINING = "method.params.", "schedule."
FINAL = "final"
"""The stage of trials that train the best recipes again: they search nothing."""
WIDE = 20
"""A positive parameter of unknown space that varies by this factor was most likely searched by its logarithm."""


@dataclass(frozen=True)
class Param:
    """A parameter that a search varied; `key` is its name among a run's params."""

    key: str
    scale: Scale

    @property
    def name(self) -> str:
        """As the search space has it."""
        return self.key.removeprefix(METHOD).removeprefix(TRAINING)


@dataclass(frozen=True)
class Searched:
    """The search of one method in one study.

    Attributes:
        trials: completed ones with a figure on the search split, the oldest first.
        params: what varied among all trials of the search, completed or not.
    """

    study: str
    method: str
    metric: str
    trials: list[Run]
    params: list[Param]

    def figures(self) -> list[float]:
        """The metric of each trial on the search split."""
        return [figure(run, "search") or 0.0 for run in self.trials]

    def values(self, param: Param) -> list[Any]:
        """The parameter's value in each trial: a number, or text where it is a choice."""
        return [value_of(run, param) for run in self.trials]


def searches(runs: Iterable[Run]) -> list[Searched]:
    """The searches that trials were part of, by method and study. One that varied nothing has no params.

    Example:
        >>> [(search.method, [param.name for param in search.params]) for search in searches(board.trials)]
        [('none', ['lr']), ('defeat', ['neck_fg_weight', 'neck_bg_weight', 'decay'])]
    """
    groups: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        if run.stage != FINAL:
            groups[run.study or "", run.method or "", metric_of(run)].append(run)
    return [
        Searched(study, method, metric, _measured(group), _varied(method, group))
        for (study, method, metric), group in groups.items()
    ]


def value_of(run: Run, param: Param) -> Any:
    """A parameter's value in a run: a float, or text where it is a choice; None where the run has none."""
    text = run.params.get(param.key)
    if text is None or param.scale == "choice":
        return text
    return float(text)


def _measured(group: list[Run]) -> list[Run]:
    return [run for run in group if run.end == "completed" and figure(run, "search") is not None]


def _varied(method: str, group: list[Run]) -> list[Param]:
    keys = dict.fromkeys(key for run in group for key in run.params if key.startswith((METHOD, TRAINING)))
    found = []
    for key in keys:
        values = {run.params[key] for run in group if key in run.params}
        if len(values) > 1:
            found.append(Param(key, _scale(_domain(method, key), values)))
    return found


def _scale(domain: Domain | None, texts: set[str]) -> Scale:
    numbers = [_number(text) for text in texts]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or (domain is not None and domain.choice is not None):
        return "choice"
    if domain is not None:
        return "log" if domain.loguniform is not None else "linear"
    return "log" if min(known) > 0 and max(known) / min(known) >= WIDE else "linear"


def reasons(left_out: Iterable[tuple[Searched, str]]) -> list[str]:
    """Why searches have no chart: a line for each study and reason, so that a suite of many methods takes few."""
    methods = defaultdict(list)
    for search, reason in left_out:
        methods[search.study, reason].append(search.method)
    return [f"{', '.join(names)}, study {study}: {reason}" for (study, reason), names in methods.items()]


def _number(text: str) -> float | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _domain(method: str, key: str) -> Domain | None:
    if key.startswith(METHOD):
        return _space(method).get(key.removeprefix(METHOD))
    return _space("_training").get(key.removeprefix(TRAINING))


@functools.cache
def _space(name: str) -> dict[str, Domain]:
    """The shipped domains of a method, or of the shared training values."""
    try:
        if name == "_training":
            return SpaceSpec.load(resources.folder("search_spaces") / "_training.yaml").params
        return load_space(name).params
    except InputError:
        return {}
