"""Finding trainings on the disk by study and trial, by trial, by hash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kdbench.errors import InputError
from kdbench.search import folders
from kdbench.search.finding import find, record_single, trainings
from kdbench.search.ledger import FILE
from kdbench.specs.recipe import Recipe
from tests.unit.search.plans import plan


def write_study(storage: Path, name: str, trials: dict[str, int]) -> dict[str, Recipe]:
    """A study whose trials are plain training with these seeds, completed at 0.2."""
    made = plan(study=name)
    folder = folders.create(storage, made)
    recipes = {trial: made.recipe("none", {}, seed) for trial, seed in trials.items()}
    events = []
    for trial, recipe in recipes.items():
        events.append({"event": "trial", "trial": trial, "stage": "search", "recipe": recipe.plain()})
        events.append({"event": "report", "trial": trial, "epoch": 1, "value": 0.2, "metrics": {"val/mAP": 0.2}})
        events.append(
            {"event": "end", "trial": trial, "end": "completed", "reason": None, "summary": {"best/mAP": 0.2}}
        )
        (folder / "trials" / trial).mkdir()
        weights = {"meta": {"recipe": recipe.hash}, "state_dict": {"w": torch.zeros(9)}}
        torch.save(weights, folder / "trials" / trial / "student.pth")
    (folder / FILE).write_text("".join(json.dumps(event) + "\n" for event in events))
    return recipes


def test_by_study_and_trial_by_trial_and_by_hash(tmp_path: Path) -> None:
    recipes = write_study(tmp_path, "one", {"none-000": 0, "none-001": 1})
    for name in ("one/none-001", "none-001", recipes["none-001"].hash, recipes["none-001"].hash[:6]):
        found = find(tmp_path, name)
        assert found.name == "one/none-001"
        assert found.completed
        assert found.reports == {1: {"val/mAP": 0.2}}
        assert found.recipe == recipes["none-001"]


def test_the_same_recipe_twice_is_no_riddle_and_others_are(tmp_path: Path) -> None:
    write_study(tmp_path, "one", {"none-000": 0})
    recipes = write_study(tmp_path, "two", {"none-000": 0, "none-001": 1})
    assert find(tmp_path, "none-000").recipe == recipes["none-000"]
    write_study(tmp_path, "three", {"none-000": 5})
    with pytest.raises(InputError, match="'none-000' may be any of .*three/none-000.*; say which"):
        find(tmp_path, "none-000")


def test_unknown_names_say_the_nearest(tmp_path: Path) -> None:
    write_study(tmp_path, "one", {"none-000": 0})
    with pytest.raises(InputError, match="no trial 'one/none-01' .*one/none-000"):
        find(tmp_path, "one/none-01")
    with pytest.raises(InputError, match="no trial 'other/none-000'"):
        find(tmp_path, "other/none-000")


def test_a_ledger_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    write_study(tmp_path, "one", {"none-000": 0})
    ledger = tmp_path / "studies" / "one" / FILE
    with open(ledger, "a") as file:
        file.write('{"event": "tri')
    before = ledger.read_bytes()
    assert [one.trial for one in trainings(tmp_path)] == ["none-000"]
    assert ledger.read_bytes() == before


def test_runs_of_train(tmp_path: Path) -> None:
    recipe = plan().recipe("none", {}, 7)
    workdir = tmp_path / "runs" / recipe.hash
    workdir.mkdir(parents=True)
    content = {"end": "completed", "reason": None, "summary": {"best/mAP": 0.3}, "reports": {"1": {"val/mAP": 0.3}}}
    record_single(workdir, recipe, Path("/data"), content)
    found = find(tmp_path, f"train/{recipe.hash}")
    assert not found.completed  # its weights are gone
    assert found.reports == {1: {"val/mAP": 0.3}}
    assert (found.stage, found.data_root) == ("train", Path("/data"))
