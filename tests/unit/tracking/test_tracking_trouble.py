"""A tracking error never ends a training, and what was missed is written later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.tracking.reader import read_history, read_runs
from kdbench.tracking.writer import Tracker

Open = Callable[..., str]


class Away:
    """A client whose server is away while `away` is set."""

    def __init__(self, client: Any) -> None:
        self.client, self.away, self.asked = client, False, 0

    def __getattr__(self, name: str) -> Any:
        self.asked += self.away
        if self.away:
            raise ConnectionError("the server is\naway")
        return getattr(self.client, name)


@pytest.fixture
def away(tracker: Tracker) -> Away:
    tracker._mirror._client = client = Away(tracker._mirror._client)
    return client


def test_an_outage_of_the_server(
    tracker: Tracker, away: Away, open_trial: Open, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = open_trial(tracker)
    tracker.log_epoch(key, 1, {"val/mAP": 0.1})
    away.away = True
    with caplog.at_level(logging.WARNING):
        for epoch in range(2, 40):
            tracker.log_epoch(key, epoch, {"val/mAP": epoch / 100})
        other = open_trial(tracker, "defeat-001")
        tracker.close(other, "infeasible", summary={}, reason="NaN", artifacts=[])
    assert len(caplog.records) == 1  # told once
    assert "the server is away" in str(tracker.problem)
    assert away.asked < 5  # and not asked at each step
    away.away = False
    tracker.close(key, "completed", summary={"best/mAP": 0.39}, reason=None, artifacts=[])
    tracker.close_study("shapes", "first", summary={}, status="FINISHED")
    assert tracker.problem is None
    ends = {run.trial: (run.end, run.status) for run in read_runs(uri, kinds=["trial"])}
    assert ends == {"defeat-000": ("completed", "FINISHED"), "defeat-001": ("infeasible", "FINISHED")}
    (first, _) = read_runs(uri, kinds=["trial"])
    assert [step for step, _ in read_history(uri, first.run_id, "val/mAP")] == list(range(1, 40))


def test_a_server_that_never_comes_back(tracker: Tracker, away: Away, open_trial: Open, storage: Path) -> None:
    away.away = True
    key = open_trial(tracker)
    tracker.log_epoch(key, 1, {"val/mAP": 0.1})
    tracker.interrupt(key)
    tracker.close(key, "completed", summary={}, reason=None, artifacts=[storage / "is-not-there.txt"])
    tracker.close_study("shapes", "first", summary={}, status="FINISHED")
    assert tracker.problem


def test_a_request_that_arrived_though_its_answer_did_not(
    tracker: Tracker, open_trial: Open, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = open_trial(tracker)
    client = tracker._mirror._client
    real = client.log_batch

    def cut_off(*given: Any, **named: Any) -> None:
        real(*given, **named)
        raise TimeoutError("no answer")

    monkeypatch.setattr(client, "log_batch", cut_off)
    tracker.log_epoch(key, 1, {"val/mAP": 0.1})
    monkeypatch.setattr(client, "log_batch", real)
    tracker.close_study("shapes", "first", summary={}, status="FINISHED")
    assert tracker.problem is None
    (run,) = read_runs(uri, kinds=["trial"])
    assert read_history(uri, run.run_id, "val/mAP") == [(1, 0.1)]


def test_a_run_deleted_by_hand_does_not_hold_up_the_others(tracker: Tracker, open_trial: Open, uri: str) -> None:
    key, other = open_trial(tracker), open_trial(tracker, "defeat-001")
    (first, _) = read_runs(uri, kinds=["trial"])
    tracker._mirror._client.delete_run(first.run_id)
    tracker.log_epoch(key, 1, {"val/mAP": 0.1})
    tracker.log_epoch(other, 1, {"val/mAP": 0.2})
    tracker.close_study("shapes", "first", summary={}, status="FINISHED")
    assert tracker.problem is None
    assert [run.metrics["val/mAP"] for run in read_runs(uri, kinds=["trial"])] == [0.2, 0.1]


def test_an_artifact_that_is_not_there_does_not_stop_the_end(tracker: Tracker, open_trial: Open, uri: str) -> None:
    tracker.close(open_trial(tracker), "completed", summary={}, reason=None, artifacts=[Path("/nowhere/log.txt")])
    assert [run.end for run in read_runs(uri, kinds=["trial"])] == ["completed"]
    assert tracker.problem is None


def test_a_file_for_a_study_while_the_server_is_away(
    tracker: Tracker, away: Away, open_trial: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_trial(tracker)
    page = tmp_path / "report.html"
    page.write_text("page")
    away.away = True
    tracker.attach("shapes", "first", page)
    assert caplog.messages == ["MLflow could not store report.html: the server is away"]


def test_a_file_for_a_study_that_was_never_recorded(
    tracker: Tracker, away: Away, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away.away = True
    tracker.open_study("shapes", "first", tags={}, params={})
    caplog.clear()
    tracker.attach("shapes", "first", tmp_path / "report.html")
    assert caplog.messages == ["MLflow lacks the run of first, so report.html is not stored there"]
