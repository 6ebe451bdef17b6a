"""Searches of other shapes: a two-stage detector, trials of two processes, from Python, with a teacher that is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.integration.running import check_mlflow, events, result, wait_for


@pytest.mark.slow
def test_two_stage_with_a_given_teacher(tmp_path: Path, tiny_two_stage: Path, kdbench: Callable) -> None:
    storage = tmp_path / "runs"
    common = ["--task", tiny_two_stage, "--storage", storage, "--set", "baseline.trials=1", "--epochs", 1]
    first = kdbench("search", "defeat_full", "--trials", 1, "--name", "first", *common)
    assert first.wait() == 0, first.text()
    table = result(storage, "first")
    params = table["defeat-000"]["recipe"]["method"]["params"]
    assert params["head_fg_weight"] == 2.0
    assert "defeat-000" in first.text()
    assert {entry["end"] for entry in table.values()} == {"completed"}

    # The second study finds the teacher in the store; the third is given the same weights as a file.
    weights = next((storage / "teachers").glob("*/weights.pth"))
    second = kdbench("search", "defeat", "--trials", 1, "--name", "second", "--algorithm", "random", *common)
    third = kdbench("search", "defeat", "--name", "third", "--dry-run", "--teacher", weights, *common)
    assert second.wait() == 0, second.text()
    assert "teacher" not in result(storage, "second")
    assert third.wait() == 0, third.text()
    shown = third.text()
    assert "# trials: 21 (1 of none, 20 of defeat, and the given teacher is evaluated, once)" in shown
    assert "# estimate:" in shown
    assert not (storage / "studies" / "third").exists()
    recipe = yaml.safe_load(shown[shown.index("version:") : shown.index("# trials")])
    assert recipe["teacher"]["id"].startswith("file-")


@pytest.mark.slow
def test_a_given_teacher_is_evaluated_and_its_gap_is_known(
    tmp_path: Path, tiny_two_stage: Path, kdbench: Callable
) -> None:
    storage = tmp_path / "runs"
    common = ["--task", tiny_two_stage, "--storage", storage, "--set", "baseline.trials=1", "--epochs", 1]
    first = kdbench("search", "defeat", "--trials", 1, "--name", "first", *common)
    assert first.wait() == 0, first.text()
    weights = next((storage / "teachers").glob("*/weights.pth"))
    second = kdbench("search", "defeat", "--trials", 1, "--name", "second", "--teacher", weights, *common)
    assert second.wait() == 0, second.text()
    evaluated = next(e["summary"] for e in events(storage, "second") if (e["trial"], e["event"]) == ("teacher", "end"))
    trained = json.loads((weights.parent / "card.json").read_text())["summary"]
    assert evaluated["report/mAP"] == trained["report/mAP"]
    assert "cost/device_hours" not in evaluated
    table = kdbench("leaderboard", "second", "--format", "json", "-o", tmp_path / "rows.json", "--storage", storage)
    assert table.wait() == 0, table.text()
    rows = {row["method"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert rows["defeat"]["teacher"].startswith("file-")
    assert rows["defeat"]["teacher_mean"] == evaluated["best/mAP"]
    assert rows["defeat"]["teacher_device_hours"] is None


@pytest.mark.slow
def test_without_memory_nothing_is_lost_but_the_trial(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    wishes = ["--task", tiny_task, "--trials", 2, "--epochs", 1, "--storage", tmp_path, "--name", "s"]
    run = kdbench("search", "none", *wishes, RAY_memory_usage_threshold="0.001")  # Ray kills every worker at once
    assert run.wait() == 0, run.text()
    assert {entry["end"] for entry in result(tmp_path, "s").values()} == {"lost"}
    assert "died 4 times because the machine's memory ran low" in run.text()
    assert "Traceback" not in run.text()
    again = kdbench("resume", "s", "--storage", tmp_path)
    assert again.wait() == 0, again.text()
    assert {entry["end"] for entry in result(tmp_path, "s").values()} == {"completed"}
    check_mlflow(tmp_path, "s")


@pytest.mark.slow
def test_trials_of_two_processes_on_ray_resume(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    wishes = ["--trials", 1, "--epochs", 3, "--set", "schedule.gpus=2", "--set", "schedule.norm=SyncBN"]
    wishes += ["--set", "schedule.samples_per_gpu=4", "--set", "baseline.trials=1", "--name", "s"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run = kdbench("search", "defeat", "--task", tiny_task, "--storage", whole, *wishes)
    assert run.wait() == 0, run.text()
    expected = result(whole, "s")
    assert expected["defeat-000"]["end"] == "completed"

    run = kdbench("search", "defeat", "--task", tiny_task, "--storage", cut, *wishes)
    told = {"event": "report", "trial": "none-000"}
    wait_for(lambda: any(told.items() <= event.items() for event in events(cut, "s")), "a report of the baseline", run)
    run.kill_everything()
    again = kdbench("resume", "s", "--storage", cut)
    assert again.wait() == 0, again.text()
    assert result(cut, "s") == expected
    check_mlflow(cut, "s")


def test_from_python(tmp_path: Path, tiny_task: Path) -> None:
    import subprocess
    import sys

    code = f"""
import json, kdbench
done = kdbench.search("none", task={str(tiny_task)!r}, epochs=1, trials=1, storage={str(tmp_path)!r}, name="plain")
table = kdbench.leaderboard("plain", storage={str(tmp_path)!r})
print(json.dumps([done.best, list(table.columns)[:4], len(table), bool(table.loc[0, "mean"] == done.value)]))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    last = shown.strip().splitlines()[-1]
    assert json.loads(last) == ["none-000", ["rank", "task", "method", "study"], 1, True]
