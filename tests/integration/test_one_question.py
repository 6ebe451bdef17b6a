"""The life of a study of several methods: values by hand while it runs, more of it after its end, a second one beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import check_mlflow, events, result, wait_for


def trainings(storage: Path, study: str) -> int:
    """How many trainings Ray has started for a study: it has a folder for each."""
    return sum(path.is_dir() for path in (storage / "studies" / study / "ray").glob("attempt-*/*"))


def ids(storage: Path, study: str, arm: str) -> list[str]:
    return [name for name in result(storage, study) if name.startswith(f"{arm}-") and "-seed" not in name]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_one_study_is_extended_and_a_second_trains_nothing_twice(
    tmp_path: Path, tiny_task: Path, kdbench: Callable
) -> None:
    storage = tmp_path / "runs"
    common: list[Any] = ["--task", tiny_task, "--epochs", 1, "--storage", storage, "--set", "baseline.trials=1"]
    first = kdbench("search", "defeat", "fgd", "--trials", 4, "--name", "first", "--concurrent", 1, *common)
    wait_for(lambda: bool(events(storage, "first")), "a first trial", first)
    by_hand = kdbench("enqueue", "first", "defeat", "neck_fg_weight=3.5", "--storage", storage)
    assert by_hand.wait() == 0, by_hand.text()
    assert "neck_fg_weight=3.5" in by_hand.text()
    assert first.wait() == 0, first.text()
    assert "Last result" not in first.text(), "Tune's own lines"
    table = result(storage, "first")
    assert trainings(storage, "first") == len(table) == 6  # the teacher, the baseline, two of each method
    assert table["defeat-001"]["recipe"]["method"]["params"]["neck_fg_weight"] == 3.5
    told = {event["trial"]: event.get("origin") for event in events(storage, "first") if event["event"] == "trial"}
    assert told["defeat-001"] == "by hand"

    more = kdbench("extend", "first", "--trials", "+2", "--add", "pkd", "--seeds", 2, "--storage", storage)
    assert more.wait() == 0, more.text()
    grown = result(storage, "first")
    assert {name: grown[name] for name in table} == table
    new = [name for name in grown if name not in table]
    assert ids(storage, "first", "pkd") == ["pkd-000", "pkd-001"]
    assert sum("-seed" in name for name in new) == len(new) - 2 >= 4
    assert trainings(storage, "first") == len(grown)
    check_mlflow(storage, "first")

    second = kdbench("search", "defeat", "fgd", "--trials", 2, "--seeds", 2, "--name", "second", *common)
    assert second.wait() == 0, second.text()
    reused = {event["trial"]: event["reused"] for event in events(storage, "second") if event.get("reused")}
    assert reused["none-000"] == "first/none-000"
    assert reused["defeat-000"] == "first/defeat-000"
    assert reused["fgd-000"] == "first/fgd-000"
    again = result(storage, "second")
    assert "teacher" not in again
    for name, source in reused.items():
        assert again[name] == grown[source.removeprefix("first/")]
    assert trainings(storage, "second") == len(again) - len(reused)
    mine, known = ({str(e["recipe"]) for n, e in t.items() if n not in reused} for t in (again, grown))
    assert not mine & known, "a recipe was trained twice"

    anew = kdbench("search", "none", "--trials", 1, "--name", "third", "--no-reuse", *common)
    assert anew.wait() == 0, anew.text()
    assert trainings(storage, "third") == len(result(storage, "third")) == 1
