"""What was written is read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.tracking import reader
from kdbench.tracking.reader import read_history, read_runs
from kdbench.tracking.writer import Tracker


def fill(tracker: Tracker, open_trial: Callable[..., str]) -> None:
    for trial in ("defeat-000", "defeat-001"):
        key = open_trial(tracker, trial)
        tracker.log_epoch(key, 1, {"val/mAP": 0.1})
        tracker.close(key, "completed", summary={"best/mAP": 0.1}, reason=None, artifacts=[])
    tracker.open_trial(
        "voc", "o'second", "none-000", method="none", recipe={}, recipe_hash="b", config_hash="d", seed=0, teacher=None,
        stage="train", tags={},
    )  # fmt: skip
    teacher = tracker.open_teacher("shapes", "t1", recipe={}, recipe_hash="t1", seed=0)
    tracker.close(teacher, "completed", summary={"best/mAP": 0.6}, reason=None, artifacts=[])


def test_selections(tracker: Tracker, open_trial: Callable[..., str], uri: str, client: Any) -> None:
    fill(tracker, open_trial)
    client.create_run("0", tags={"somebody": "else"})

    def kinds(**selection: Any) -> list[str]:
        return sorted(run.kind for run in read_runs(uri, **selection))

    assert kinds() == ["study", "study", "teacher", "trial", "trial", "trial"]
    assert kinds(task="shapes") == ["study", "teacher", "trial", "trial"]
    assert kinds(task="nothing") == []
    assert kinds(studies=["first"]) == ["study", "teacher", "trial", "trial"]
    assert kinds(studies=["o'second"], kinds=["trial"]) == ["trial"]
    assert kinds(studies=["first", "o'second"], kinds=["study"]) == ["study", "study"]
    assert kinds(kinds=["trial"], method="none") == ["trial"]


def test_a_run_has_all_its_fields(tracker: Tracker, open_trial: Callable[..., str], uri: str) -> None:
    fill(tracker, open_trial)
    run = read_runs(uri, studies=["first"], kinds=["trial"])[0]
    assert (run.kind, run.study, run.task, run.method, run.trial) == (
        "trial",
        "first",
        "shapes",
        "defeat",
        "defeat-000",
    )
    assert (run.recipe, run.config, run.seed, run.teacher) == ("a1", "c1", 3, "t1")
    assert (run.stage, run.split, run.end, run.status) == ("search", "search", "completed", "FINISHED")
    assert run.params["schedule.lr"] == "0.002"
    assert run.metrics["best/mAP"] == 0.1
    assert run.start_time is not None
    assert run.end_time is not None
    assert run.start_time <= run.end_time
    assert read_history(uri, run.run_id, "val/mAP") == [(1, 0.1)]
    assert read_history(uri, run.run_id, "val/none") == []


def test_the_published_row_that_a_run_reproduces(tracker: Tracker, open_trial: Callable[..., str], uri: str) -> None:
    open_trial(tracker, "defeat-000", tags={"kdbench.published": "defeat/voc-05"})
    open_trial(tracker, "defeat-001")
    found = {run.trial: run.published for run in read_runs(uri, kinds=["trial"])}
    assert found == {"defeat-000": "defeat/voc-05", "defeat-001": None}


def test_pages(tracker: Tracker, open_trial: Callable[..., str], uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tracker, open_trial)
    whole = read_runs(uri)
    monkeypatch.setattr(reader, "PAGE", 2)
    assert read_runs(uri) == whole


def test_reading_makes_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert read_runs(uri) == []
    assert read_history(uri, "x", "y") == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no server answers"):
        read_runs("http://127.0.0.1:9")
