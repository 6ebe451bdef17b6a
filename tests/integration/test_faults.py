"""Searches among faults: another mmdet in the working directory, trials that all end badly, files that were spoilt."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import Run, events, result

Command = Callable[..., Run]


def test_workers_import_what_the_driver_imports(
    kdbench: Command, tiny_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """shared/failing/43: a clone of mmdetection in the working directory."""
    for package in ("mmdet", "torch", "ray"):
        (tmp_path / "work" / package).mkdir(parents=True)
        (tmp_path / "work" / package / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path / "work")
    run = kdbench("search", "none", "--task", tiny_task, "--trials", 1, "--epochs", 1, "--storage", tmp_path / "runs")
    assert run.wait() == 0, run.text()
    (study,) = os.listdir(tmp_path / "runs" / "studies")
    assert {entry["end"] for entry in result(tmp_path / "runs", study).values()} == {"completed"}
    check_models(tmp_path / "runs")


def check_models(storage: Path) -> None:
    """MLflow's columns Dataset, Source and Models are filled."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{storage / 'mlflow.db'}")
    places = [e.experiment_id for e in client.search_experiments()]
    (run,) = client.search_runs(places, "tags.`kdbench.kind` = 'trial'")
    assert [one.dataset.name for one in run.inputs.dataset_inputs] == ["tiny/train", "tiny/search", "tiny/report"]
    assert run.data.tags["mlflow.source.name"].startswith("kdbench search none --task")
    (model,) = client.search_logged_models(places)
    measured: Any = client.get_logged_model(model.model_id).metrics
    assert {m.dataset_name for m in measured if m.key.startswith("best/")} == {"tiny/search"}


def test_a_search_without_a_completed_trial_says_why(kdbench: Command, tiny_task: Path, tmp_path: Path) -> None:
    """shared/failing/44 and 60: exit code 1, and then nothing is trained again without the ledger."""
    changes = ("--set", "schedule.lr=1e30", "--set", "schedule.grad_clip=null", "--set", "schedule.epochs=1")
    run = kdbench("search", "none", "--task", tiny_task, "--trials", 2, *changes, "--storage", tmp_path, "--name", "s")
    assert run.wait() == 1, run.text()
    last = run.text().strip().splitlines()[-1]
    assert last.startswith("kdbench: study s: no trial of none was completed: ")
    assert "infeasible (" in last
    assert {event["end"] for event in events(tmp_path, "s") if event["event"] == "end"} == {"infeasible"}
    (tmp_path / "studies" / "s" / "ledger.jsonl").unlink()
    before = sorted(tmp_path.rglob("*"))
    again = kdbench("resume", "s", "--storage", tmp_path)
    assert again.wait() == 2, again.text()
    assert "is missing" in again.text()
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "run-1.log") == before
