"""The leaderboard's page with all that it can have: what MLflow tells, importance, and the winner's settings."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

REPORT = "report.html"
"""The page in a study's folder, and the artifact of its run."""

log = logging.getLogger("kdbench.search")


def write_report(
    file: str | Path,
    *studies: str,
    task: str | None = None,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    pictures: Sequence[tuple[str, bytes]] = (),
) -> Path:
    """Write the page on `studies` (all, when none is named).

    Args:
        file: one self-contained HTML file.
        pictures: a title and the bytes of a PNG each.

    Raises:
        InputError: an unknown study or task, nothing recorded yet, or the file cannot be written.

    Example:
        >>> write_report("report.html", "defeat-shapes")
    """
    from kdbench.leaderboard.page import gather, write
    from kdbench.search.importance import importances
    from kdbench.search.winner import winners

    board = gather(*studies, task=task, storage=storage, tracking_uri=tracking_uri)
    path = Path(file)
    write(path, board, importance=importances(board.trials), settings=winners(board), pictures=pictures)
    return path


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
