"""What a search would do, in a screenful: its arms, rounds, finalists, and what they cost by a few measured steps."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from kdbench.detectors import teachers
from kdbench.planning.estimating import STEPS, Costs, measure, text_of_hours
from kdbench.planning.study import Planned
from kdbench.search.arms import allocation
from kdbench.search.board import Board
from kdbench.search.proposals.of_study import grid_size
from kdbench.specs.recipe import Recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan

WIDTH = 80
SHOWN = 3
"""Searched values that are named of each arm."""


def describe(planned: Planned, storage: Path) -> str:
    """The text of --dry-run. Measures on this machine, with random weights; nothing is left behind."""
    plan = planned.plan
    reference = plan.teacher if plan.teacher_train else None
    train_teacher = reference is not None and not teachers.weights_file(storage, reference).is_file()
    costs = measure(plan, planned.data, train_teacher)
    counts = {name: trial_count(plan, name) for name in plan.names()}
    lines = [f"study {plan.study}: {plan.title} on {plan.task.name}, {plan.task.schedule.epochs} epochs a trial"]
    lines += _table(plan, counts, costs)
    lines += _plan_in_words(plan, train_teacher)
    lines.append(_estimate(plan, counts, costs))
    return "\n".join(lines)


def first_recipes(planned: Planned) -> dict[str, Recipe]:
    """The first recipe of each arm and of the teacher's training, by name."""
    plan = planned.plan
    with tempfile.TemporaryDirectory() as folder:
        board = Board(plan, Path(folder), teacher_ready=True, listeners=[])
        found = {name: board.first_trial(name).recipe for name in plan.names()}
    return {**found, **({"teacher": teacher_recipe(plan.task)} if plan.teacher_train else {})}


def trial_count(plan: StudyPlan, arm: str) -> int | None:
    """How many trials an arm will have; None where its share is decided on the way. A grid may have fewer points."""
    if arm == BASELINE:
        count = plan.baselines
    elif plan.trials is None or (plan.allocate == "halving" and len(plan.arms) > 1):
        return None
    else:
        place = [entry.name for entry in plan.arms].index(arm)
        count = plan.trials // len(plan.arms) + (place < plan.trials % len(plan.arms))
    return min(count, grid_size(plan, arm)) if plan.algorithm == "grid" else count


def _table(plan: StudyPlan, counts: dict[str, int | None], costs: Costs) -> list[str]:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("arm", "trials", "hours each", "searches"):
        grid.add_column(
            name, no_wrap=name != "searches", justify="right" if name in ("trials", "hours each") else "left"
        )
    for name in plan.names():
        count = counts[name]
        searched = ", ".join(key.removeprefix("training.") for key in plan.domains(name) if key not in plan.fixed(name))
        grid.add_row(
            name, "by round" if count is None else str(count), f"{costs.arms[name]:.3g}", searched or "nothing"
        )
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False).print(grid)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


def _searched(plan: StudyPlan, name: str) -> str:
    """The first values that an arm varies, and how many more."""
    names = [key.removeprefix("training.") for key in plan.domains(name) if key not in plan.fixed(name)]
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "") if names else "nothing"


def _plan_in_words(plan: StudyPlan, train_teacher: bool) -> list[str]:
    lines = []
    if train_teacher:
        lines.append("teacher: is trained once, and kept for every later study")
    elif plan.teacher is not None and not plan.teacher_train:
        lines.append("teacher: the given weights are evaluated, once")
    elif plan.teacher is not None:
        lines.append("teacher: is in the store")
    if plan.trials is not None and plan.arms:
        lines.append(f"trials: {plan.trials} of all arms together, {plan.algorithm}, scheduler {plan.scheduler}")
    if plan.hours is not None:
        lines.append(
            f"budget: {plan.hours:g} device-hours of everything; a trial starts only if it fits in what is left"
        )
    if plan.allocate == "halving" and len(plan.arms) > 1:
        rounds = allocation.number_of_rounds(len(plan.arms))
        noise = "" if plan.noise is None else f", or is within {plan.noise:.4f} of it (one std over seeds on this task)"
        lines.append(f"rounds: {rounds}; after each an arm stays that is in the better half{noise}")
    if plan.seeds > 1:
        fields = "the baseline's best" + (f" and the best of {plan.race} arms" if plan.arms else "")
        lines.append(f"race: {fields}, up to {plan.seeds} seeds each, on the report split")
    return lines


def _estimate(plan: StudyPlan, counts: dict[str, int | None], costs: Costs) -> str:
    known = {name: count for name, count in counts.items() if count is not None}
    total = sum(count * costs.arms[name] for name, count in known.items()) + (costs.teacher or 0.0)
    arms = [costs.arms[arm.name] for arm in plan.arms]
    rest = (plan.trials or 0) - sum(count for name, count in known.items() if name != BASELINE)
    if arms and len(known) < len(counts):
        total += rest * sum(arms) / len(arms)
    if plan.seeds > 1:
        total += plan.seeds * (costs.arms[BASELINE] + sum(sorted(arms, reverse=True)[: plan.race]))
    if plan.hours is not None and (plan.trials is None or total > plan.hours):
        total = plan.hours
    trials = sum(known.values()) + max(0, rest if len(known) < len(counts) else 0)
    disk = trials * costs.weights_mb / 1024
    return (
        f"estimate: {text_of_hours(total)} of device time on this machine, from {STEPS} measured steps of each kind; "
        f"{costs.memory_gb:.1f} GB of memory a trial, {disk:.2g} GB of disk for the students"
    )
