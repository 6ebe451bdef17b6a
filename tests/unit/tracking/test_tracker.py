"""The writer: what MLflow has after studies that ran through, were resumed, or were killed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.tracking import mirror
from kdbench.tracking.writer import Tracker

Open = Callable[..., str]


def all_runs(client: Any) -> list[Any]:
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1000))


def one_run(client: Any, kind: str = "trial") -> Any:
    (run,) = [run for run in all_runs(client) if run.data.tags["kdbench.kind"] == kind]
    return run


def history(client: Any, metric: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client.get_metric_history(one_run(client).info.run_id, metric)]


def test_a_trial_is_a_child_of_its_study(tracker: Tracker, client: Any, open_trial: Open, storage: Path) -> None:
    log = storage / "log.txt"
    log.write_text("trained")
    key = open_trial(tracker)
    for epoch in (1, 2):
        tracker.log_epoch(key, epoch, {"val/mAP": epoch / 10, "cost/device_hours": 0.1 * epoch, "val/x@0": math.nan})
    summary = {"best/mAP": 0.2, "cost/device_hours": 0.25, "report/mAP": 0.19}
    tracker.close(key, "completed", summary=summary, reason=None, artifacts=[log])
    tracker.close_study("shapes", "first", summary={"delta": 0.1}, status="FINISHED")

    parent, run = one_run(client, "study"), one_run(client)
    assert client.get_experiment(run.info.experiment_id).name == "shapes"
    assert parent.info.status == run.info.status == "FINISHED"
    assert parent.data.metrics == {"delta": 0.1}
    assert parent.data.params == {"trials": "2"}
    wanted = {
        "kdbench.kind": "trial",
        "kdbench.study": "first",
        "kdbench.task": "shapes",
        "kdbench.method": "defeat",
        "kdbench.trial": "defeat-000",
        "kdbench.recipe": "a1",
        "kdbench.config": "c1",
        "kdbench.seed": "3",
        "kdbench.teacher": "t1",
        "kdbench.stage": "search",
        "kdbench.split": "report",
        "kdbench.end": "completed",
        "mlflow.parentRunId": parent.info.run_id,
        "mlflow.runName": "defeat-000",
    }
    source = {name: run.data.tags[name] for name in ("mlflow.source.name", "mlflow.source.type")}
    assert run.data.tags == {**wanted, **source}
    assert run.data.params == {"metric": "mAP", "schedule.lr": "0.002", "schedule.grad_clip": "none", "seed": "3"}
    assert run.data.metrics == {"val/mAP": 0.2, "epoch": 2.0, **summary}
    assert history(client, "val/mAP") == [(1, 0.1), (2, 0.2)]
    assert [step for step, _ in history(client, "cost/device_hours")] == [1, 2, 3]
    folder = storage / "mlartifacts" / "shapes" / run.info.run_id / "artifacts"
    assert sorted(path.name for path in folder.iterdir()) == ["log.txt", "recipe.json"]
    assert json.loads((folder / "recipe.json").read_text())["schedule"]["grad_clip"] is None
    assert tracker.problem is None


def test_opened_twice_by_one_process_is_one_run(tracker: Tracker, client: Any, open_trial: Open) -> None:
    assert open_trial(tracker) == open_trial(tracker)
    assert len(all_runs(client)) == 2


def test_resumed_after_a_kill(uri: str, storage: Path, client: Any, open_trial: Open) -> None:
    first = Tracker(uri, storage)
    key = open_trial(first)
    for epoch in (1, 2):
        first.log_epoch(key, epoch, {"val/mAP": epoch / 10})

    second = Tracker(uri, storage)  # the first was killed without a word
    key = open_trial(second)
    for epoch in (1, 2, 3):
        second.log_epoch(key, epoch, {"val/mAP": epoch / 10})
        second.log_epoch(key, epoch, {"val/mAP": 9.9})
    second.close(key, "completed", summary={"best/mAP": 0.3}, reason=None, artifacts=[])
    assert len(all_runs(client)) == 2
    assert history(client, "val/mAP") == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_an_interrupted_run_has_no_end_and_runs_again(uri: str, storage: Path, client: Any, open_trial: Open) -> None:
    first = Tracker(uri, storage)
    first.interrupt(open_trial(first))
    run = one_run(client)
    assert (run.info.status, run.data.tags.get("kdbench.end")) == ("KILLED", None)
    open_trial(Tracker(uri, storage))
    assert one_run(client).info.status == "RUNNING"


@pytest.mark.parametrize(
    ("end", "status"),
    [("pruned", "FINISHED"), ("infeasible", "FINISHED"), ("failed", "FAILED"), ("lost", "KILLED")],
)
def test_ends(tracker: Tracker, client: Any, open_trial: Open, end: str, status: str) -> None:
    tracker.close(open_trial(tracker), end, summary={}, reason="because\nof this", artifacts=[])
    run = one_run(client)
    assert (run.info.status, run.data.tags["kdbench.end"]) == (status, end)
    assert run.data.tags["kdbench.reason"] == "because\nof this"


def test_telling_an_ended_study_again_changes_nothing(uri: str, storage: Path, client: Any, open_trial: Open) -> None:
    def tell(tracker: Tracker) -> None:
        key = open_trial(tracker)
        tracker.log_epoch(key, 1, {"val/mAP": 0.1, "cost/device_hours": 0.1})
        summary = {"best/mAP": 0.1, "cost/device_hours": 0.2}
        tracker.close(key, "completed", summary=summary, reason=None, artifacts=[])

    tell(Tracker(uri, storage))
    before = one_run(client)
    for _ in range(2):
        tell(Tracker(uri, storage))
    after = one_run(client)
    assert before.to_dictionary() == after.to_dictionary()
    assert [step for step, _ in history(client, "cost/device_hours")] == [1, 2]


def test_a_failed_trial_is_trained_again(tracker: Tracker, client: Any, open_trial: Open) -> None:
    key = open_trial(tracker)
    tracker.log_epoch(key, 1, {"val/mAP": 0.1, "cost/device_hours": 0.1})
    summary = {"best/mAP": 0.1, "cost/device_hours": 0.15}
    tracker.close(key, "failed", summary=summary, reason="a bug", artifacts=[])
    assert open_trial(tracker) == key
    tracker.log_epoch(key, 2, {"val/mAP": 0.2, "cost/device_hours": 0.2})
    run = one_run(client)
    assert (run.info.status, run.data.tags.get("kdbench.end")) == ("RUNNING", None)
    summary = {"best/mAP": 0.2, "cost/device_hours": 0.3}
    tracker.close(key, "completed", summary=summary, reason=None, artifacts=[])
    run = one_run(client)
    assert "kdbench.reason" not in run.data.tags
    assert run.data.metrics["best/mAP"] == 0.2
    assert [step for step, _ in history(client, "cost/device_hours")] == [1, 2, 3]


def test_a_teacher_is_shared(uri: str, storage: Path, client: Any) -> None:
    for _ in range(2):
        tracker = Tracker(uri, storage)
        key = tracker.open_teacher("shapes", "t1", recipe={"seed": 0}, recipe_hash="t1", seed=0)
        tracker.close(key, "completed", summary={"best/mAP": 0.62}, reason=None, artifacts=[])
    run = one_run(client, "teacher")
    assert run.data.tags["kdbench.teacher"] == "t1"
    assert "mlflow.parentRunId" not in run.data.tags
    assert len(client.get_metric_history(run.info.run_id, "best/mAP")) == 1


def test_more_params_than_one_request_takes(tracker: Tracker, client: Any, open_trial: Open) -> None:
    open_trial(tracker, recipe={"values": {f"v{i}": i for i in range(250)}, "long": "x" * 9000})
    params = one_run(client).data.params
    assert len(params) == 251
    assert len(params["long"]) <= 500


def test_mistakes_in_the_program_do_raise(tracker: Tracker, open_trial: Open) -> None:
    key = open_trial(tracker)
    with pytest.raises(ValueError, match="did you mean 'completed'"):
        tracker.close(key, "complete", summary={}, reason=None, artifacts=[])
    with pytest.raises(ValueError, match="was opened"):
        tracker.log_epoch("trial/other", 1, {})


def test_a_file_of_a_study_is_there_once(tracker: Tracker, client: Any, open_trial: Open, tmp_path: Path) -> None:
    open_trial(tracker)
    page = tmp_path / "report.html"
    for text in ("first", "second one"):
        page.write_text(text)
        tracker.attach("shapes", "first", page)
    (artifact,) = client.list_artifacts(one_run(client, "study").info.run_id)
    assert (artifact.path, artifact.file_size) == ("report.html", len("second one"))
    assert client.list_artifacts(one_run(client).info.run_id)[0].path == "recipe.json"


def test_epochs_that_follow_at_once_are_written_together(
    tracker: Tracker, client: Any, open_trial: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "AGAIN", 60.0)
    key = open_trial(tracker)
    for epoch in range(1, 9):
        tracker.log_epoch(key, epoch, {"val/mAP": epoch / 10})
    assert history(client, "val/mAP") == []
    tracker.close(key, "completed", summary={}, reason=None, artifacts=[])
    assert history(client, "val/mAP") == [(epoch, epoch / 10) for epoch in range(1, 9)]
    assert history(client, "epoch") == [(epoch, float(epoch)) for epoch in range(1, 9)]


def test_what_waits_is_written_with_the_next_trial(
    tracker: Tracker, client: Any, open_trial: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "AGAIN", 60.0)
    key = open_trial(tracker)
    for epoch in (1, 2):
        tracker.log_epoch(key, epoch, {"val/mAP": epoch / 10})
    run = one_run(client).info.run_id
    open_trial(tracker, trial="defeat-001")
    assert [m.step for m in client.get_metric_history(run, "val/mAP")] == [1, 2]


def test_more_figures_than_one_request_takes(
    tracker: Tracker, client: Any, open_trial: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "AGAIN", 60.0)
    key = open_trial(tracker)
    figures = {f"val/AP_{i}": i / 1000 for i in range(700)}
    for epoch in (1, 2, 3):
        tracker.log_epoch(key, epoch, figures)
    tracker.close(key, "completed", summary={}, reason=None, artifacts=[])
    assert history(client, "val/AP_699") == [(epoch, 0.699) for epoch in (1, 2, 3)]
    assert [step for step, _ in history(client, "epoch")] == [1, 2, 3]


def test_a_run_that_has_all_is_not_kept_and_found_again(tracker: Tracker, client: Any, open_trial: Open) -> None:
    key = open_trial(tracker)
    tracker.close(key, "pruned", summary={"best/mAP": 0.1}, reason=None, artifacts=[])
    with pytest.raises(ValueError, match="was opened"):
        tracker.log_epoch(key, 1, {})
    assert open_trial(tracker) == key
    assert len(all_runs(client)) == 2
