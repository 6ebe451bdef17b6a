"""The leaderboard from MLflow alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.errors import InputError, did_you_mean
from kdbench.leaderboard.rows import KEYS, Row, build_rows
from kdbench.specs.paths import storage_folder

if TYPE_CHECKING:
    import pandas as pd


def rows(
    *studies: str, task: str | None = None, storage: str | Path | None = None, tracking_uri: str | None = None
) -> list[Row]:
    """Rows of these studies, or of every study in the store.

    Raises:
        InputError: no such study or task in the store, or the store holds nothing yet.
    """
    from kdbench.tracking import store
    from kdbench.tracking.reader import read_runs

    folder = storage_folder(storage)
    uri = store.tracking_uri(folder, tracking_uri)
    if tracking_uri is None and not (folder / "mlflow.db").is_file():
        raise InputError(
            f"{folder} holds no runs yet; make some with 'kdbench search defeat', or say where with --storage"
        )
    runs = read_runs(store.connect(uri, folder))
    known = {run.study for run in runs if run.study}
    for study in studies:
        if study not in known:
            raise InputError(f"no study {study!r} in {uri}; {did_you_mean(study, known)}")
    tasks = {run.task for run in runs}
    if task is not None and task not in tasks:
        raise InputError(f"no runs on task {task!r} in {uri}; {did_you_mean(task, tasks)}")
    chosen = [
        run
        for run in runs
        if (task is None or run.task == task) and (run.kind == "teacher" or not studies or run.study in studies)
    ]
    return build_rows(chosen)


def leaderboard(
    *studies: str, task: str | None = None, storage: str | Path | None = None, tracking_uri: str | None = None
) -> pd.DataFrame:
    """The rows as a DataFrame, a column a key.

    Example:
        >>> kdbench.leaderboard("defeat-shapes")[["method", "mean", "delta", "verdict"]]
    """
    import pandas as pd

    found = rows(*studies, task=task, storage=storage, tracking_uri=tracking_uri)
    return pd.DataFrame([row.plain() for row in found], columns=KEYS)
