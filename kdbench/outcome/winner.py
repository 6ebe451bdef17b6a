"""The settings of a task's winner as a file for `kdbench train`, checked: does it make the recipe that was recorded?"""

from __future__ import annotations

import json
from typing import Any

import yaml

from kdbench.detectors.teachers import trained_teacher
from kdbench.errors import InputError
from kdbench.leaderboard.page.data import Board
from kdbench.leaderboard.page.winner import Settings, winner
from kdbench.methods import registry
from kdbench.specs import resources
from kdbench.specs.recipe import Recipe, TeacherRef, task_recipe
from kdbench.specs.short_recipe import ShortRecipe
from kdbench.specs.task import TaskSpec, load_task
from kdbench.tracking.names import flatten
from kdbench.tracking.reader import Run

PARAMS, SCHEDULE = "method.params.", "schedule."
SHARED = ("lr", "samples_per_gpu", "grad_clip", "norm")
"""Training values that are always written down: searches vary them."""
FILE = "winner.yaml"


class _Dumper(yaml.SafeDumper):
    """One key a line, and a list on the line of its key."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
        return super().represent_sequence(tag, sequence, flow_style=True)


def winners(board: Board) -> list[Settings]:
    """The settings of the best configuration of each task; tasks without completed trials have none."""
    found = []
    for view in board.views():
        row = winner(view.rows)
        run = board.run_of(row) if row is not None else None
        if run is not None:
            found.append(settings(run, view.name))
    return found


def settings(run: Run, name: str) -> Settings:
    """The settings of one run.

    Args:
        name: of the task, as the page calls it.
    """
    content = short_form(run)
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    command = f"kdbench train {FILE}"
    whole = f"recipe.json, an artifact of the run {run.trial} in MLflow, is the whole recipe: kdbench train recipe.json"
    if run.task not in resources.names("benchmarks/tasks"):
        note = f"Task {run.task} is a file of yours: put its path in place of the name. {whole}."
    elif (problem := _differs(text, run)) is not None:
        note = f"This is not all of recipe {run.recipe} ({problem}). {whole}."
    else:
        note = f"This makes recipe {run.recipe}, that of trial {run.trial}; it was checked when this page was written."
        if (run.teacher or "").startswith("file-"):
            command += " --teacher FILE"
            note += f" Its teacher was given as a file: {run.teacher}."
    return Settings(name, run.params.get("metric", ""), run.trial or "", text, command, note)


def short_form(run: Run) -> dict[str, Any]:
    """Task, method, params, training, seed, and what of the task was changed with --set."""
    content: dict[str, Any] = {"task": run.task, "method": run.method, "seed": run.seed}
    content["params"] = _params(run)
    task = load_task(run.task) if run.task in resources.names("benchmarks/tasks") else None
    usual = flatten({"schedule": task_recipe(task, "none", {}, {}, None, 0).plain()["schedule"]}) if task else {}
    content["training"] = {
        key.removeprefix(SCHEDULE): _value(text)
        for key, text in run.params.items()
        if key.startswith(SCHEDULE) and (key.removeprefix(SCHEDULE) in SHARED or usual.get(key) != text)
    }
    content["set"] = _changes(run, task) if task else {}
    return {key: value for key, value in content.items() if value not in ({}, None)}


def _params(run: Run) -> dict[str, Any]:
    texts = {k.removeprefix(PARAMS): text for k, text in run.params.items() if k.startswith(PARAMS)}
    return {key: _param(run.method or "", key, text) for key, text in texts.items()}


def _param(method: str, key: str, text: str) -> Any:
    """A param's value. MLflow has the text `none` for a null as for a choice of that name: the method knows which."""
    if text != "none":
        return _value(text)
    try:
        registry.parse_params(method, {key: text}, "")
    except InputError:
        return None
    return text


def _value(text: str) -> Any:
    if text == "none":
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _changes(run: Run, task: TaskSpec) -> dict[str, Any]:
    """What the run has different from the shipped task, apart from its schedule, as keys for `set`."""
    parts = task.model_dump(mode="json", include={"dataset", "pipeline", "student", "metric", "floor"})
    if run.params.get("teacher.config"):
        parts["teacher"] = task.model_dump(mode="json")["teacher"]
    usual = flatten(parts)
    found = {}
    for key, text in run.params.items():
        own = key.partition(".")[0] in parts and key != "teacher.id"
        if own and usual.get(key) != text:
            role, _, path = key.partition(".set.")
            found[f"{role}.{path}" if path else key] = _value(text)
    return found


def _differs(text: str, run: Run) -> str | None:
    """Why training this text would not make the run's recipe; None where it would."""
    try:
        recipe = _resolved(ShortRecipe.parse(yaml.safe_load(text), FILE), run)
    except InputError as error:
        return str(error)
    if recipe.hash == run.recipe:
        return None
    made = flatten(recipe.plain())
    keys = [key for key in {**made, **run.params} if made.get(key) != run.params.get(key)]
    return f"it differs in {', '.join(keys[:4])}{' and more' if len(keys) > 4 else ''}" if keys else "its hash differs"


def _resolved(short: ShortRecipe, run: Run) -> Recipe:
    """The recipe that `kdbench train` makes of the text; the teacher that was given as a file is taken as it was."""
    task = load_task(short.task, short.set)
    reference: TeacherRef | None = None
    if registry.get(short.method).needs_teacher:
        reference = trained_teacher(task)
        if (run.teacher or "").startswith("file-"):
            reference = reference.model_copy(update={"id": run.teacher})
    params = registry.parse_params(short.method, short.params, FILE).plain()
    return task_recipe(task, short.method, params, short.training, reference, short.seed)
