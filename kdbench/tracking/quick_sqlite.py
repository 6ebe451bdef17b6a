"""Reading runs straight from MLflow's SQLite database.

Importing MLflow takes longer than everything else that the leaderboard does (benchmarks/results/README.md); its tables have kept
their form since MLflow 1.0. Only reads; anything unexpected is left to MLflow itself.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stored:
    """A run as the database has it; times in milliseconds."""

    run_id: str
    status: str
    start_time: int | None
    end_time: int | None
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Found:
    """The runs, and how many more there are that hold what no run of ours holds."""

    runs: list[Stored]
    unreadable: int


def stored_runs(path: Path, task: str | None, wanted: Callable[[dict[str, str]], bool]) -> Found | None:
    """Active runs with kdbench's tags; None where the database is not as it is known to be.

    Args:
        task: runs of the experiment of this name only.
        wanted: of a run's tags.
    """
    try:
        with _opened(path) as database:
            return _read(database, task, wanted)
    except sqlite3.Error:
        return None


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as database:
        yield database


def _read(database: sqlite3.Connection, task: str | None, wanted: Callable[[dict[str, str]], bool]) -> Found:
    database.text_factory = _text
    database.execute("BEGIN")  # everything is of one moment, whoever writes beside us
    runs = database.execute(
        "SELECT r.run_uuid, r.status, r.start_time, r.end_time FROM runs r JOIN experiments e USING (experiment_id) "
        "WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active' AND (? IS NULL OR e.name = ?)",
        (task, task),
    ).fetchall()
    known = {run[0] for run in runs}
    tags = _table(database, "SELECT run_uuid, key, value FROM tags", known)
    ours = {run for run in known if "kdbench.kind" in tags[run]}
    broken = {run for run in ours if not all(isinstance(value, str) for value in tags[run].values())}
    chosen = {run for run in ours - broken if wanted(tags[run])}
    params = _table(database, "SELECT run_uuid, key, value FROM params", chosen)
    metrics = _table(
        database, "SELECT run_uuid, key, CASE is_nan WHEN 1 THEN NULL ELSE value END FROM latest_metrics", chosen
    )
    found = []
    for run, status, start, end in runs:
        if run in chosen:
            made = _stored(run, status, start, end, tags[run], params[run], metrics[run])
            if made is None:
                broken.add(run)
            else:
                found.append(made)
    return Found(found, len(broken))


def _stored(
    run: Any, status: Any, start: Any, end: Any, tags: dict[str, Any], params: dict[str, Any], metrics: dict[str, Any]
) -> Stored | None:
    """The run, or None where the database holds other kinds of values than MLflow writes."""
    words = [run, status, *tags.values(), *params.values()]
    times = [time for time in (start, end) if time is not None]
    if not all(isinstance(word, str) for word in words) or not all(isinstance(time, int) for time in times):
        return None
    if not all(value is None or isinstance(value, (int, float)) for value in metrics.values()):
        return None
    figures = {key: float("nan") if value is None else float(value) for key, value in metrics.items()}
    return Stored(run, status, start, end, tags, params, figures)


def _text(raw: bytes) -> Any:
    """A text of the database; bytes where it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _table(database: sqlite3.Connection, query: str, runs: set[str]) -> dict[str, dict[str, Any]]:
    """run -> key -> value."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for run, key, value in database.execute(query):
        if run in runs:
            found[run][key] = value
    return found
