"""MLflow's columns Dataset, Source and Models: filled once, whoever is killed when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.tracking import push
from kdbench.tracking.datasets import Split
from kdbench.tracking.writer import Tracker

SPLITS = tuple(
    Split("shapes", name, f"digest{number}", 8, 20, "shapes")
    for number, name in enumerate(("train", "search", "report"))
)
SUMMARY = {"best/mAP": 0.2, "report/mAP": 0.19, "cost/params_m": 1.5}
Open = Callable[..., str]


def the_run(client: Any) -> Any:
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()], "tags.`kdbench.kind` = 'trial'")
    assert len(runs) == 1
    return runs[0]


def the_model(client: Any, run: Any) -> Any:
    (model,) = client.search_logged_models([run.info.experiment_id])
    return client.get_logged_model(model.model_id)


def check(client: Any) -> None:
    run = the_run(client)
    inputs = {(one.dataset.name, one.dataset.digest): one.tags[0].value for one in run.inputs.dataset_inputs}
    assert inputs == {(f"shapes/{s.name}", s.digest): s.name for s in SPLITS}
    model = the_model(client, run)
    assert str(model.status) == "READY"
    assert model.source_run_id == run.info.run_id
    assert model.tags["kdbench.recipe"] == "a1"
    measured = {m.key: (m.value, m.dataset_name, m.dataset_digest) for m in model.metrics}
    assert measured == {
        "best/mAP": (0.2, "shapes/search", "digest1"),
        "report/mAP": (0.19, "shapes/report", "digest2"),
    }
    assert [one.model_id for one in client.get_run(run.info.run_id).outputs.model_outputs] == [model.model_id]
    for name, value in SUMMARY.items():
        assert [m.value for m in client.get_metric_history(run.info.run_id, name)] == [value]


def train(uri: str, storage: Path, open_trial: Open, splits: tuple[Split, ...] = SPLITS) -> None:
    tracker = Tracker(uri, storage)
    key = open_trial(tracker, splits=splits)
    tracker.log_epoch(key, 1, {"val/mAP": 0.2})
    tracker.close(key, "completed", summary=SUMMARY, reason=None, artifacts=[])


def test_a_completed_student_is_a_model_with_the_split_that_measured_it(
    uri: str, storage: Path, client: Any, open_trial: Open
) -> None:
    train(uri, storage, open_trial)
    check(client)
    train(uri, storage, open_trial)  # the study is resumed
    check(client)


def test_the_run_of_a_study_names_its_dataset_too(uri: str, storage: Path, client: Any) -> None:
    """MLflow's column Dataset was empty in the rows that one sees first; a study is no model, though."""
    tracker = Tracker(uri, storage)
    tracker.open_study("shapes", "first", tags={}, params={}, splits=SPLITS)
    tracker.close_study("shapes", "first", summary={"best/mAP": 0.2}, status="FINISHED")
    places = [e.experiment_id for e in client.search_experiments()]
    (run,) = client.search_runs(places, "tags.`kdbench.kind` = 'study'")
    assert [one.dataset.name for one in run.inputs.dataset_inputs] == [one.title for one in SPLITS]
    assert client.search_logged_models(places) == []


def test_a_run_of_an_earlier_kdbench_gets_what_it_lacks(uri: str, storage: Path, client: Any, open_trial: Open) -> None:
    train(uri, storage, open_trial, ())
    assert client.search_logged_models([the_run(client).info.experiment_id]) == []
    train(uri, storage, open_trial)
    check(client)


@pytest.mark.parametrize("place", ["add", "close_model", "set_tags"])
def test_killed_on_the_way(
    place: str, uri: str, storage: Path, client: Any, open_trial: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = push.Request if place == "add" else push
    real, calls = getattr(where, place), []

    def dies(*args: Any, **kwargs: Any) -> Any:
        if any("report/mAP" in str(a) or "m-" in str(a) for a in args):
            calls.append(args)
            raise RuntimeError("killed here")
        return real(*args, **kwargs)

    monkeypatch.setattr(where, place, dies)
    train(uri, storage, open_trial)
    assert calls
    monkeypatch.setattr(where, place, real)
    train(uri, storage, open_trial)
    check(client)


def test_pruned_and_failed_trials_are_no_models(tracker: Tracker, client: Any, open_trial: Open) -> None:
    for name, end in (("defeat-000", "pruned"), ("defeat-001", "failed")):
        key = open_trial(tracker, name, splits=SPLITS)
        tracker.close(key, end, summary={"best/mAP": 0.1}, reason=None, artifacts=[])
    assert client.search_logged_models([e.experiment_id for e in client.search_experiments()]) == []


def test_the_command_is_the_source_and_has_no_password(
    uri: str, storage: Path, client: Any, open_trial: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["/opt/x/kdbench", "search", "defeat", "--tracking-uri", "http://me:secret@host:5000", "--set", "a=\x1b[31m"]
    monkeypatch.setattr("sys.argv", argv)
    train(uri, storage, open_trial)
    monkeypatch.setattr("sys.argv", ["/opt/x/kdbench", "resume", "first"])
    train(uri, storage, open_trial)
    tags = the_run(client).data.tags
    assert tags["mlflow.source.name"].startswith("kdbench search defeat --tracking-uri")
    assert "secret" not in tags["mlflow.source.name"]
    assert "\x1b" not in tags["mlflow.source.name"]
    assert tags["mlflow.source.type"] == "LOCAL"
