"""A database that somebody else has written into: what cannot be read is left out and counted, or refused in a line."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kdbench.cli import main
from kdbench.tracking import reader, store
from kdbench.tracking.writer import Tracker

Open = Callable[..., str]


@pytest.fixture
def two_runs(tracker: Tracker, open_trial: Open, storage: Path) -> Path:
    for name in ("defeat-000", "defeat-001"):
        key = open_trial(tracker, name)
        tracker.close(key, "completed", summary={"best/mAP": 0.2}, reason=None, artifacts=[])
    reader._tell_unreadable.cache_clear()
    return storage


def change(storage: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(storage / "mlflow.db")) as database, database:
        database.execute(statement, values)


FIRST = "(SELECT run_uuid FROM tags WHERE key = 'kdbench.trial' AND value = 'defeat-000')"


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE latest_metrics SET value = 'abc' WHERE run_uuid = {FIRST}",
        f"UPDATE tags SET value = x'ff00fe' WHERE key = 'kdbench.method' AND run_uuid = {FIRST}",
        f"UPDATE tags SET value = CAST(x'ff00fe' AS TEXT) WHERE key = 'kdbench.method' AND run_uuid = {FIRST}",
        f"UPDATE params SET value = x'00' WHERE key = 'metric' AND run_uuid = {FIRST}",
        f"UPDATE runs SET start_time = 'yesterday' WHERE run_uuid = {FIRST}",
    ],
)
def test_a_run_that_cannot_be_read_is_left_out_and_counted(
    statement: str, two_runs: Path, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """shared/failing/59."""
    change(two_runs, statement)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert [run.trial for run in reader.read_runs(uri, kinds=("trial",))] == ["defeat-001"]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "1 run cannot be read and left out"
    ]


def test_a_store_that_is_none(two_runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """shared/failing/59."""
    change(two_runs, "DROP TABLE latest_metrics")
    with pytest.raises(SystemExit) as done:
        main(["leaderboard", "--storage", str(two_runs)])
    out, err = capfd.readouterr()
    assert done.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "tracking URI" in err


def test_formulas_and_control_characters(two_runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """shared/failing/59."""
    change(
        two_runs, "UPDATE tags SET value = ? WHERE key = 'kdbench.study'", '=HYPERLINK("http://example.com","click")'
    )
    change(two_runs, "UPDATE tags SET value = ? WHERE key = 'kdbench.trial'", "\x1b]2;title\x07\x1b[31m")
    for form in ("table", "csv", "markdown", "json"):
        with pytest.raises(SystemExit) as done:
            main(["leaderboard", "--storage", str(two_runs), "--format", form])
        out, err = capfd.readouterr()
        assert not done.value.code
        assert "\x1b" not in out + err
        assert "\x07" not in out + err
        assert "x1b]2;title" in out
        if form == "csv":
            assert "\"'=HYPERLINK(" in out
            assert ",=HYPERLINK(" not in out


def test_the_store_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    with pytest.raises(SystemExit) as done:
        main(["leaderboard", "--storage", str(tmp_path), "--tracking-uri", store.tracking_uri(tmp_path)])
    assert done.value.code == 2
