"""What a run of a suite would do: its rows with their recipes, what is there already, and how long the rest takes."""

from __future__ import annotations

import io
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kdbench.leaderboard.published import figure_of
from kdbench.planning.estimating import STEPS, look_at, text_of_hours
from kdbench.planning.suite import PlannedSuite
from kdbench.search.reuse import Trainings
from kdbench.specs.base import content_hash
from kdbench.specs.published import find_cost_claim, find_published
from kdbench.specs.recipe import Recipe
from kdbench.specs.suite import PlannedRow, SuitePlan

WIDTH = 120


def describe_suite(planned: PlannedSuite, storage: Path) -> str:
    """The text of --dry-run: a table of the rows, the number of trainings and an estimate of their time.

    Measures on this machine, with random weights; nothing is left behind. Without its data there is no estimate.
    """
    plan = planned.plan
    known = Trainings(storage, Path(plan.data_root) if plan.data_root else None, plan.data)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("row", "method", "training", "published", f"recipe (seed {plan.seed})", "to train"):
        grid.add_column(name, no_wrap=name in ("row", "method", "published"), overflow="fold")
    todo: list[Recipe] = [recipe for recipe in plan.teachers if known(recipe) is None]
    for row in plan.rows:
        recipes = [plan.recipe(row, seed) for seed in range(plan.seeds)]
        fresh = [recipe for recipe in recipes if known(recipe) is None]
        todo += fresh
        text = f"{len(fresh)} of {plan.seeds}"
        grid.add_row(row.id, row.recipe.method.name, _training(row), _published(row), recipes[0].hash, text)
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False).print(grid)
    total = len(plan.rows) * plan.seeds
    lines = [
        f"suite {plan.suite}, grade {plan.grade}: {plan.title}",
        *(line.rstrip() for line in out.getvalue().splitlines() if line.strip()),
        *(f"{row.id}: {note}" for row in plan.rows if (note := _note(row))),
        f"{len(plan.rows)} rows x {plan.seeds} seeds: {total} trainings, and teachers to train: {len(plan.teachers)}; "
        f"trained before and taken over: {total + len(plan.teachers) - len(todo)}; left to train: {len(todo)}",
        _time(planned, todo),
    ]
    return "\n".join(lines)


def all_recipes(plan: SuitePlan) -> dict[str, Recipe]:
    """Every row's recipe with each seed, by ROW-seedN."""
    return {f"{row.id}-seed{seed}": plan.recipe(row, seed) for row in plan.rows for seed in range(plan.seeds)}


def _training(row: PlannedRow) -> str:
    """The values of the schedule that tables of papers have columns for."""
    s, student = row.recipe.schedule, row.recipe.student
    depth = student.set.get("model.backbone.depth")
    model = student.config.rpartition("/")[2] + (f" depth {depth}" if depth else "")
    clip = f"clip {s.grad_clip:g}" if s.grad_clip else "no clip"
    return f"{model}, {s.epochs} epochs, lr {s.lr:g}, {s.samples_per_gpu}x{s.gpus} images, {s.norm}, {clip}"


def _published(row: PlannedRow) -> str:
    found = find_published(row.published) if row.published else None
    claim = find_cost_claim(row.published) if row.published else None
    if claim is not None:
        return f"{claim.saved:.0%} less extra cost than {claim.less_than}"
    figure = figure_of(found, row.recipe.method.name, row.recipe.metric) if found is not None else None
    return "" if figure is None else f"{figure:.4f} {row.recipe.metric}"


def _note(row: PlannedRow) -> str | None:
    found = find_published(row.published) if row.published else None
    doubts = found.note if found is not None and found.confidence != "primary" else None
    return "; ".join(text for text in (row.note, doubts) if text) or None


def _time(planned: PlannedSuite, todo: list[Recipe]) -> str:
    if not todo:
        return "nothing is left to train"
    if any(content_hash(recipe.dataset.plain()) not in planned.data for recipe in todo):
        return "no estimate of the time without the data: give --data-root DIR"
    kinds = {recipe.config_hash: recipe for recipe in todo}
    seconds = {}
    for key, recipe in track(kinds.items(), "measuring steps", console=Console(stderr=True), transient=True):
        seconds[key] = look_at(recipe, planned.data_of(recipe)).seconds
    total = sum(seconds[recipe.config_hash] for recipe in todo)
    return f"estimate: {text_of_hours(total / 3600)} of device time on this machine, from {STEPS} measured steps of each kind"
