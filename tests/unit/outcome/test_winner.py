"""The winner's settings: a text that `kdbench train` takes and that makes the recorded recipe, or says that it does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml

from kdbench.detectors.teachers import trained_teacher
from kdbench.leaderboard.page.data import make_board
from kdbench.methods import registry
from kdbench.outcome.winner import settings, winners
from kdbench.specs.recipe import Recipe, task_recipe
from kdbench.specs.short_recipe import ShortRecipe
from kdbench.specs.task import load_task
from kdbench.tracking.names import flatten
from kdbench.tracking.reader import Run


def recipe_of(method: str = "defeat", seed: int = 3, changes: dict[str, Any] | None = None, **values: Any) -> Recipe:
    task = load_task("shapes", changes)
    params = registry.parse_params(method, values.pop("params", {}), "").plain()
    teacher = trained_teacher(task) if method != "none" else None
    return task_recipe(task, method, params, values, teacher, seed)


def run_of(recipe: Recipe, **changes: Any) -> Run:
    run = Run(
        run_id="1",
        kind="trial",
        study="s",
        task=recipe.task,
        method=recipe.method.name,
        trial="t-000",
        recipe=recipe.hash,
        config=recipe.config_hash,
        seed=recipe.seed,
        teacher=recipe.teacher.id if recipe.teacher else None,
        stage="search",
        end="completed",
        params=flatten(recipe.plain()),
        metrics={"best/mAP": 0.3},
    )
    return dataclasses.replace(run, **changes)


@pytest.mark.parametrize(
    "recipe",
    [
        recipe_of(),
        recipe_of("none", lr=0.01),
        recipe_of(params={"decay": "linear", "neck_fg_weight": 0.5}, grad_clip=None, samples_per_gpu=4),
        recipe_of("icd", params={"max_real": None}),
        recipe_of(changes={"dataset.train.size": 24, "pipeline.flip": 0.0, "student.model.backbone.depth": 34}),
        recipe_of(changes={"teacher.model.neck.out_channels": 64}, epochs=2),
    ],
    ids=["defaults", "baseline", "searched", "null", "changed-task", "changed-teacher"],
)
def test_the_text_makes_the_recipe(recipe: Recipe) -> None:
    made = settings(run_of(recipe), "shapes")
    assert f"makes recipe {recipe.hash}" in made.note, made.note
    assert made.command == "kdbench train winner.yaml"
    short = ShortRecipe.parse(yaml.safe_load(made.text), "")
    resolved = recipe_of(short.method, short.seed, short.set, params=short.params, **short.training)
    assert resolved.hash == recipe.hash


def test_lists_and_keys_have_a_line_each() -> None:
    text = settings(run_of(recipe_of()), "shapes").text
    assert "  backbone_stages: [2, 3]\n" in text
    assert text.startswith("task: shapes\nmethod: defeat\nseed: 3\nparams:\n")


def test_a_recipe_that_the_text_cannot_tell() -> None:
    recipe = recipe_of()
    run = run_of(recipe)
    older = {key: value for key, value in run.params.items() if key != "pipeline.flip"}
    made = settings(dataclasses.replace(run, params=older, recipe="0123456789ab"), "shapes")
    assert "not all of recipe 0123456789ab (it differs in pipeline.flip)" in made.note
    assert "recipe.json" in made.note


def test_a_task_of_the_users_own() -> None:
    made = settings(run_of(recipe_of(), task="mine"), "mine")
    assert "Task mine is a file of yours" in made.note
    assert yaml.safe_load(made.text)["task"] == "mine"


def test_a_teacher_that_was_given_as_a_file() -> None:
    recipe = recipe_of()
    assert recipe.teacher is not None
    given = recipe.model_copy(update={"teacher": recipe.teacher.model_copy(update={"id": "file-0123"})})
    made = settings(run_of(given), "shapes")
    assert made.command == "kdbench train winner.yaml --teacher FILE"
    assert f"makes recipe {given.hash}" in made.note


def test_one_for_each_task_that_has_rows() -> None:
    better = run_of(recipe_of(seed=4), run_id="2", trial="t-001", metrics={"best/mAP": 0.4})
    worse = run_of(recipe_of(lr=0.01))
    begun = run_of(recipe_of(), run_id="3", task="mine", end=None)
    (found,) = winners(make_board([worse, better, begun]))
    assert (found.task, found.trial) == ("shapes", "t-001")
