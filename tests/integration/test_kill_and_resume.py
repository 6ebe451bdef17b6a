"""A search killed with SIGKILL, driver and workers, and resumed, gives what it would have given: each trial once."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.running import check_mlflow, decisions, events, reports, result, wait_for


def search(task: Path, storage: Path, *more: object) -> list[object]:
    values = ["search", "defeat", "fgd", "--task", task, "--trials", 4, "--name", "s", "--scheduler", "promote"]
    return [*values, "--allocate", "halving", "--concurrent", 1, "--storage", storage, "--epochs", 3, *more]


def test_killed_and_resumed_equals_never_killed(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    first = kdbench(*search(tiny_task, whole))
    assert first.wait() == 0, first.text()
    expected = result(whole, "s")
    assert {entry["end"] for entry in expected.values()} <= {"completed", "pruned"}
    assert sum(1 for name in expected if name.startswith(("defeat-", "fgd-"))) == 4
    kinds = {event["event"] for event in decisions(whole, "s")}
    assert {"round", "report"} <= kinds, "nobody waited"

    run = kdbench(*search(tiny_task, cut))
    # Once in the teacher, once in the middle of a distilled trial.
    wait_for(lambda: reports(cut, "s") >= 1, "a first evaluation", run)
    run.kill_everything()
    again = kdbench("resume", "s", "--storage", cut)
    wait_for(
        lambda: any(e.get("trial") == "fgd-000" and e["event"] == "report" for e in events(cut, "s")), "trial", again
    )
    again.kill_everything()
    last = kdbench("resume", "s", "--storage", cut)
    assert last.wait() == 0, last.text()

    assert result(cut, "s") == expected
    assert decisions(cut, "s") == decisions(whole, "s")
    check_mlflow(cut, "s")
    board = kdbench("leaderboard", "s", "--storage", cut, "--format", "json")
    assert board.wait() == 0
    rows = json.loads(board.text())
    completed = {n for n, e in expected.items() if e["end"] == "completed" and n != "teacher"}
    assert {row["trial"] for row in rows} == completed


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_killed_five_times_at_random_moments(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    whole, cut, moments = tmp_path / "whole", tmp_path / "cut", random.Random(7)
    more = ["--trials", 6, "--seeds", 2]
    first = kdbench(*search(tiny_task, whole, *more))
    assert first.wait(900) == 0, first.text()
    lines = len(events(whole, "s"))
    run = kdbench(*search(tiny_task, cut, *more))
    for at in sorted(moments.sample(range(2, lines - 2), 5)):
        wait_for(lambda at=at: len(events(cut, "s")) >= at, f"event {at}", run)
        time.sleep(moments.random())
        run.kill_everything()
        run = kdbench("resume", "s", "--storage", cut)
    assert run.wait(900) == 0, run.text()
    assert result(cut, "s") == result(whole, "s")
    assert decisions(cut, "s") == decisions(whole, "s")
    check_mlflow(cut, "s")


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_ends_it_cleanly_and_it_says_how_to_go_on(
    tmp_path: Path, tiny_task: Path, kdbench: Callable, number: signal.Signals
) -> None:
    run = kdbench(*search(tiny_task, tmp_path))
    wait_for(lambda: reports(tmp_path, "s") >= 1, "a first evaluation", run)
    run.process.send_signal(number)
    assert run.wait(60) == 130
    assert "kdbench resume s" in run.text()
    for noise in ("Traceback", "SIGTERM received"):
        assert noise not in run.text()
    # The name is taken now, and nothing is changed by asking for it.
    before = events(tmp_path, "s")
    twice = kdbench(*search(tiny_task, tmp_path))
    assert twice.wait() == 2
    assert "exists already" in twice.text()
    assert events(tmp_path, "s") == before


@pytest.mark.parametrize("name", ["nothing"])
def test_resume_of_no_study(tmp_path: Path, name: str, kdbench: Callable) -> None:
    run = kdbench("resume", name, "--storage", tmp_path)
    assert run.wait() == 2
    assert run.text().count("\n") == 1
