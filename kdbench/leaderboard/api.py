"""From the names of studies to rows, or to a data frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.errors import InputError, did_you_mean
from kdbench.leaderboard.row import KEYS, Row
from kdbench.leaderboard.rows import build_rows
from kdbench.specs.paths import storage_folder
from kdbench.specs.study import BASELINE
from kdbench.tracking.client import shown
from kdbench.tracking.reader import Run, read_runs
from kdbench.tracking.store import tracking_uri as resolve

if TYPE_CHECKING:
    import pandas as pd


def rows(
    *studies: str, task: str | None = None, storage: str | Path | None = None, tracking_uri: str | None = None
) -> list[Row]:
    """The leaderboard of `studies` (all, when none is named), from MLflow alone.

    A study of which nothing is completed yet has no rows.

    Raises:
        InputError: an unknown study or task, or nothing has been recorded yet.
    """
    return build_rows(runs_of(*studies, task=task, storage=storage, tracking_uri=tracking_uri), studies or None)


def runs_of(
    *studies: str, task: str | None = None, storage: str | Path | None = None, tracking_uri: str | None = None
) -> list[Run]:
    """The runs that the rows of `studies` (all, when none is named) are made of: theirs, teachers, baselines.

    Raises:
        InputError: an unknown study or task, or nothing has been recorded yet.
    """
    uri = resolve(storage_folder(storage), tracking_uri)
    runs = read_runs(uri, task=task, studies=studies or None)
    there = {run.study for run in runs if run.kind != "teacher"}
    missing = tuple(study for study in studies if study not in there)
    if missing or not there:
        _refuse(uri, missing, task)
    return runs + _baselines(uri, runs)


def leaderboard(
    *studies: str, task: str | None = None, storage: str | Path | None = None, tracking_uri: str | None = None
) -> pd.DataFrame:
    """The leaderboard as a data frame, one row a configuration.

    Args:
        studies: their names; all, when none is given.
        storage: the folder; ./kdbench-runs when None.
        tracking_uri: of an MLflow server or database; the storage folder's own when None.

    Example:
        >>> kdbench.leaderboard("defeat-shapes")[["rank", "method", "mean", "delta", "verdict"]]
    """
    import pandas as pd

    found = rows(*studies, task=task, storage=storage, tracking_uri=tracking_uri)
    return pd.DataFrame([row.plain() for row in found], columns=list(KEYS))


def _baselines(uri: str, runs: list[Run]) -> list[Run]:
    """Plain training of other studies, for studies that have none of their own."""
    trials = [run for run in runs if run.kind == "trial"]
    have = {(run.task, run.study) for run in trials if run.method == BASELINE and run.end == "completed"}
    lacking = {run.task for run in trials if (run.task, run.study) not in have}
    known = {run.run_id for run in runs}
    found = [run for task in lacking for run in read_runs(uri, task=task, kinds=("trial",), method=BASELINE)]
    return [run for run in found if run.run_id not in known]


def _refuse(uri: str, studies: tuple[str, ...], task: str | None) -> None:
    there = read_runs(uri, kinds=("study", "trial"))
    if not there:
        raise InputError(f"nothing is recorded at {shown(uri)} yet; make some results: kdbench search defeat")
    tasks, names = {run.task for run in there}, {run.study for run in there if run.study}
    if task is not None and task not in tasks:
        raise InputError(f"--task {task}: no runs on it at {shown(uri)}; {did_you_mean(task, tasks)}")
    for study in studies:
        if study not in names:
            raise InputError(f"study {study}: not found at {shown(uri)}; {did_you_mean(study, names)}")
        raise InputError(f"study {study}: has no runs on task {task}; leave --task out")
