"""What a search would do: its first recipe, the number of its trials, and how long they take by a few measured steps."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

import yaml

from kdbench.data import Prepared
from kdbench.detectors import teachers
from kdbench.planning.study import Planned
from kdbench.search.board import Board
from kdbench.search.proposals import grid_size
from kdbench.specs.recipe import Recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan

STEPS = 4


def describe(planned: Planned, storage: Path) -> str:
    """The text of --dry-run. Measures on this machine, with random weights; nothing is left behind."""
    plan = planned.plan
    with tempfile.TemporaryDirectory() as folder:
        board = Board(plan, Path(folder), teacher_ready=True, listeners=[])
        trial = board._next_of(plan.method)
    assert trial is not None
    counts = {arm: trial_count(plan, arm) for arm in plan.arms()}
    train_teacher = (
        plan.teacher_train and plan.teacher is not None and not teachers.weights_file(storage, plan.teacher).is_file()
    )
    seconds = _estimate(plan, planned, trial.recipe, counts, train_teacher)
    finals = len(plan.arms()) * plan.seeds if plan.seeds > 1 else 0
    parts = [f"{counts[arm]} of {arm}" for arm in plan.arms()]
    if finals:
        parts.append(f"{finals} finalists")
    if train_teacher:
        parts.insert(0, "1 teacher")
    if plan.teacher is not None and not plan.teacher_train:
        parts.append("and the given teacher is evaluated, once")
    lines = [
        f"# the first recipe, {trial.recipe.hash}",
        yaml.safe_dump(trial.recipe.plain(), sort_keys=False).rstrip(),
        f"# trials: {sum(counts.values()) + finals + train_teacher} ({', '.join(parts)})",
        f"# estimate: {hours(seconds)} of device time on this machine, from {STEPS} measured steps of each kind",
    ]
    return "\n".join(lines)


def trial_count(plan: StudyPlan, arm: str) -> int:
    """How many trials an arm will have; a grid may have fewer points than were asked for."""
    return min(plan.count(arm), grid_size(plan, arm)) if plan.algorithm == "grid" else plan.count(arm)


def _estimate(plan: StudyPlan, planned: Planned, first: Recipe, counts: dict[str, int], train_teacher: bool) -> float:
    total = seconds_of(first, planned.data) * counts[plan.method]
    extra = plan.seeds if plan.seeds > 1 else 0
    total += extra * seconds_of(first, planned.data) if extra else 0.0
    if plan.method != BASELINE:
        baseline = plan.recipe(BASELINE, {}, plan.seed)
        total += seconds_of(baseline, planned.data) * (counts[BASELINE] + extra)
    if train_teacher:
        total += seconds_of(teacher_recipe(plan.task), planned.data)
    return total


def seconds_of(recipe: Recipe, data: Prepared) -> float:
    """Seconds of one training, from a few steps and a few images of evaluation."""
    from kdbench.training.probe import Probe

    probe = Probe(recipe, data)
    probe.step()  # the first one is slower
    began = time.perf_counter()
    for _ in range(STEPS):
        probe.step()
    step = (time.perf_counter() - began) / STEPS
    images = data.splits["train"].num_images * recipe.dataset.repeat
    batch = recipe.schedule.samples_per_gpu * recipe.schedule.gpus
    evaluation = probe.seconds_per_test_image() * data.splits["search"].num_images
    return float(recipe.schedule.epochs) * (math.ceil(images / batch) * step + evaluation)


def hours(seconds: float) -> str:
    """A duration for people."""
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{max(1, round(seconds / 60))} minutes"
