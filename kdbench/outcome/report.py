"""The leaderboard's page with all that it can have: what MLflow tells, importance, and the winner's settings."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kdbench.errors import InputError
from kdbench.leaderboard.row import Row
from kdbench.specs.paths import storage_folder
from kdbench.specs.study import BASELINE

REPORT = "report.html"
"""The page in a study's folder, and the artifact of its run."""

log = logging.getLogger("kdbench.outcome")


def write_report(
    file: str | Path,
    *studies: str,
    task: str | None = None,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    images: int = 3,
) -> Path:
    """Write the page on `studies` (all, when none is named).

    Args:
        file: one self-contained HTML file.
        images: of each task's best distilled trial, drawn beside teacher and baseline where its weights are in the storage
            folder.

    Raises:
        InputError: an unknown study or task, nothing recorded yet, or the file cannot be written.

    Example:
        >>> write_report("report.html", "defeat-shapes")
    """
    from kdbench.leaderboard.page import gather, write
    from kdbench.outcome.importance import importances
    from kdbench.outcome.winner import winners

    board = gather(*studies, task=task, storage=storage, tracking_uri=tracking_uri)
    path = Path(file)
    pictures = _pictures(board.rows, storage_folder(storage), images)
    write(path, board, importance=importances(board.trials), settings=winners(board), pictures=pictures)
    return path


def _pictures(rows: Iterable[Row], storage: Path, images: int) -> list[tuple[str, bytes]]:
    """A title and a PNG for the best distilled row of each task; none where this machine lacks its weights or its data."""
    if not images:
        return []
    from kdbench.outcome.showing import show

    best: dict[str, Row] = {}
    for row in rows:
        if row.method != BASELINE:
            best.setdefault(row.task, row)
    found = []
    for row in best.values():
        try:
            shown = show(storage, f"{row.study}/{row.trial}", images=images, split=row.split)
        except InputError as error:
            log.info("no pictures of %s: %s", row.trial, error)
            continue
        except Exception as error:  # a page without pictures is better than none
            log.warning("no pictures of %s: %s", row.trial, " ".join(str(error).split())[:200])
            continue
        found.append((shown.title, shown.png))
    return found


def study_report(
    study: str, tasks: Iterable[str], folder: Path, storage: Path, tracking_uri: str | None, tracker: Any
) -> None:
    """The page of a study that has ended: in its folder, and an artifact of its run. No error leaves this function.

    Args:
        tasks: on which the study has a run each; one, unless it is a suite.
        tracker: the study's, which has opened those runs.
    """
    try:
        path = write_report(folder / REPORT, study, storage=storage, tracking_uri=tracking_uri)
        for task in tasks:
            tracker.attach(task, study, path)
    except Exception as error:  # the study is done, whatever becomes of its page
        text = " ".join(str(error).split()) or type(error).__name__
        log.warning("the page of study %s could not be written: %s", study, text[:200])
