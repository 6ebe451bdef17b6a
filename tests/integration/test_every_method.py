"""Every method searched from the command line, killed in its middle and resumed. Minutes: `make test-slow`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.methods import registry
from tests.integration.running import check_mlflow, events, result, wait_for, write_tiny

METHODS = [name for name in registry.BUILT_IN if name != "none"]
NEEDS_A_GFL_HEAD = {"ld"}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_searched_killed_and_resumed(method: str, tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    task = write_tiny(tmp_path / "tiny_gfl.yaml", "shapes_gfl") if method in NEEDS_A_GFL_HEAD else tiny_task
    wishes = ["--trials", 2, "--set", "baseline.trials=1", "--name", "s", "--task", task]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run = kdbench("search", method, "--storage", whole, *wishes)
    assert run.wait() == 0, run.text()
    expected = result(whole, "s")
    assert {entry["end"] for entry in expected.values()} <= {"completed", "infeasible"}
    assert expected[f"{method}-000"]["end"] == "completed"

    run = kdbench("search", method, "--storage", cut, *wishes)
    told = {"event": "report", "trial": f"{method}-000"}
    wait_for(lambda: any(told.items() <= event.items() for event in events(cut, "s")), "a report of the method", run)
    run.kill_everything()
    again = kdbench("resume", "s", "--storage", cut)
    assert again.wait() == 0, again.text()
    assert result(cut, "s") == expected
    check_mlflow(cut, "s")
