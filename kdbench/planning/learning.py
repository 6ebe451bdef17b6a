"""What a new study takes from those that are in the storage folder: how noisy the task is, and earlier trials."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.errors import InputError
from kdbench.search import folders
from kdbench.search.finding import Searched, searched, trainings
from kdbench.specs import metrics
from kdbench.specs.base import content_hash
from kdbench.specs.space import Domain
from kdbench.specs.study import Arm, Known, Point, StudyPlan
from kdbench.specs.suite import SuitePlan
from kdbench.specs.task import TaskSpec

LEAST_FREEDOM = 2
"""Degrees of freedom without which a standard deviation is a guess."""
POINTS = 3
"""Parameter sets that another task hands on."""


def noise_of(task: TaskSpec, storage: Path) -> float | None:
    """Standard deviation of the metric over seeds on a task: pooled over the finished recipes with several seeds.

    Formula:
        sqrt(sum of (n_i - 1) s_i^2 / sum of (n_i - 1)) over recipes with n_i >= 2 seeds

    Returns:
        Of the search split's figures, in the metric's unit; the task's own where there are too few runs.
    """
    kind, key = _kind(task), f"best/{task.metric}"
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for one in trainings(storage):
        recipe = one.recipe
        if one.end == "completed" and key in one.summary and one.stage != "teacher":
            same = (recipe.dataset.plain(), recipe.pipeline.plain(), recipe.student.plain(), recipe.schedule.epochs)
            if content_hash([*same, recipe.metric]) == kind:
                values[recipe.config_hash][recipe.seed] = one.summary[key]
    groups = [list(group.values()) for group in values.values() if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < LEAST_FREEDOM:
        return task.noise
    return math.sqrt(sum((len(group) - 1) * statistics.variance(group) for group in groups) / freedom)


def _kind(task: TaskSpec) -> str:
    """What makes figures comparable."""
    same = (task.dataset.plain(), task.pipeline.plain(), task.student.plain(), task.schedule.epochs)
    return content_hash([*same, task.metric])


@dataclass(frozen=True)
class Learnt:
    """Arms that know of earlier studies, and a line on each thing that was taken."""

    arms: tuple[Arm, ...]
    lines: tuple[str, ...]


def learn(plan: StudyPlan, sources: Sequence[str], storage: Path) -> Learnt:
    """Give the arms of a plan what earlier studies found.

    On the same task, trials of the same method are told to the sampler; of another method the best training values are
    tried second, on top of the published ones. On another task, the method's best parameter sets are tried after the
    published ones.

    Raises:
        InputError: there is no such study, it is a suite's run, or nothing of it can be used.
    """
    arms, lines = list(plan.arms), list[str]()
    for source in sources:
        _, other = folders.open_any(storage, source)
        if isinstance(other, SuitePlan):
            raise InputError(f"--from {source}: is a run of a suite, which has no search space; name a search's study")
        found = list(searched(storage, source))
        before = len(lines)
        for place, arm in enumerate(arms):
            arms[place], line = _taught(plan, arm, other, found)
            if line:
                lines.append(line)
        if len(lines) == before:
            raise InputError(
                f"--from {source}: nothing of it can be used here: no completed trial of these methods, or none on this task"
            )
    return Learnt(tuple(arms), tuple(lines))


def _taught(plan: StudyPlan, arm: Arm, other: StudyPlan, found: Sequence[Searched]) -> tuple[Arm, str | None]:
    """An arm with what one study has for it, and what that was."""
    methods = {entry.name: entry.method for entry in other.arms}
    own = [one for one in found if methods.get(one.arm) == arm.method]
    domains = plan.domains(arm.name)
    if _kind(other.task) == _kind(plan.task):
        if own:
            known = [_known(other, one) for one in own]
            text = f"{arm.name}: {len(known)} trials of study {other.study} are told to the sampler"
            return arm.model_copy(update={"known": (*arm.known, *known)}), text
        best = _ranked(plan, found)[:1]
        values = _kept(best[0].proposal, domains, "training.") if best else {}
        if not values:
            return arm, None
        point = Point(source=f"{other.study}/{best[0].trial}", proposal=values)
        text = f"{arm.name}: tries second the training values of {point.source}, {_text(values)}"
        return arm.model_copy(update={"points": (*arm.points, point)}), text
    points: list[Point] = []
    for one in _ranked(plan, own):
        values = {**_kept(one.proposal, domains), **_kept(one.proposal, dict.fromkeys(arm.defaults))}
        if values and all(values != point.proposal for point in points) and len(points) < POINTS:
            points.append(Point(source=f"{other.study}/{one.trial}", proposal=values))
    if not points:
        return arm, None
    text = f"{arm.name}: tries after the published values those of {', '.join(point.source for point in points)}"
    return arm.model_copy(update={"points": (*arm.points, *points)}), text


def _known(other: StudyPlan, one: Searched) -> Known:
    source = f"{other.study}/{one.trial}"
    return Known(source=source, proposal=one.proposal, end=one.end, value=one.value, reports=one.reports)


def _ranked(plan: StudyPlan, found: Sequence[Searched]) -> list[Searched]:
    """Completed trials, the best first."""
    ended = [one for one in found if one.end == "completed" and one.value is not None]
    return sorted(ended, key=lambda one: -metrics.merit(plan.task.metric, one.value or 0.0))


def _kept(proposal: dict[str, Any], names: dict[str, Domain] | dict[str, None], start: str = "") -> dict[str, Any]:
    """The values that have a place here."""
    return {key: value for key, value in proposal.items() if key in names and key.startswith(start)}


def _text(values: dict[str, Any]) -> str:
    return ", ".join(f"{key.removeprefix('training.')}={value}" for key, value in values.items())
