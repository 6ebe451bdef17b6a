"""What a page shows, read from MLflow: rows, trials, teachers and learning curves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kdbench.leaderboard.api import runs_of
from kdbench.leaderboard.configs import figure, metric_of
from kdbench.leaderboard.row import Row
from kdbench.leaderboard.rows import build_rows
from kdbench.specs import metrics
from kdbench.specs.paths import storage_folder
from kdbench.specs.study import BASELINE
from kdbench.tracking.reader import Run, read_histories
from kdbench.tracking.store import tracking_uri as resolve

MOST_CURVES = 120
"""Learning curves on a page: each is a request, and more cannot be told apart."""

History = list[tuple[int, float]]


@dataclass(frozen=True)
class View:
    """One task and the metric it ranks by: what can be compared in one chart.

    Attributes:
        name: the task's, with the metric where the task was run with several.
        trials: of the studies that are shown, the oldest first.
    """

    task: str
    metric: str
    name: str
    rows: list[Row]
    trials: list[Run]
    teachers: list[Run]

    @property
    def methods(self) -> list[str]:
        """The baseline first, then the others by name."""
        return sorted({run.method or "" for run in self.trials}, key=lambda name: (name != BASELINE, name))

    @property
    def studies(self) -> list[str]:
        return sorted({run.study or "" for run in self.trials})


@dataclass(frozen=True)
class Board:
    """Everything on a page that comes from MLflow.

    Attributes:
        histories: run id -> (epoch, metric on the search split).
        without_curve: trials whose learning curve is left out, because there are too many.
        answers: study -> what it says in the end.
    """

    rows: list[Row]
    trials: list[Run]
    teachers: list[Run]
    histories: dict[str, History] = field(default_factory=dict)
    without_curve: int = 0
    answers: dict[str, str] = field(default_factory=dict)

    def views(self) -> list[View]:
        """The tasks, each with its metric."""
        found = sorted({(run.task, metric_of(run)) for run in self.trials})
        several = {task for task, metric in found if sum(task == other for other, _ in found) > 1}
        return [
            View(
                task,
                metric,
                f"{task}, {metric}" if task in several else task,
                [row for row in self.rows if (row.task, row.metric) == (task, metric)],
                [run for run in self.trials if (run.task, metric_of(run)) == (task, metric)],
                [run for run in self.teachers if (run.task, metric_of(run)) == (task, metric)],
            )
            for task, metric in found
        ]

    def run_of(self, row: Row) -> Run | None:
        """The run that stands for a row's configuration."""
        wanted = (row.task, row.study, row.trial)
        return next((run for run in self.trials if (run.task, run.study, run.trial) == wanted), None)


def gather(
    *studies: str, task: str | None = None, storage: str | Path | None = None, tracking_uri: str | None = None
) -> Board:
    """Read what a page on `studies` (all, when none is named) shows.

    Raises:
        InputError: an unknown study or task, or nothing has been recorded yet.

    Example:
        >>> board = gather("defeat-shapes", storage="kdbench-runs")
        >>> write(Path("report.html"), board)
    """
    runs = runs_of(*studies, task=task, storage=storage, tracking_uri=tracking_uri)
    board = make_board(runs, studies)
    wanted = best_curves(board.trials, MOST_CURVES)
    curves = {run.run_id: f"val/{metric_of(run)}" for run in wanted}
    histories = read_histories(resolve(storage_folder(storage), tracking_uri), curves)
    answers = {run.study: run.answer for run in runs if run.kind == "study" and run.study and run.answer}
    return Board(board.rows, board.trials, board.teachers, histories, len(board.trials) - len(wanted), answers)


def make_board(runs: list[Run], studies: Iterable[str] = ()) -> Board:
    """The board of runs that have been read already, without learning curves."""
    shown = set(studies)
    trials = [run for run in runs if run.kind == "trial" and (not shown or run.study in shown)]
    used = {(run.task, run.teacher) for run in trials}
    teachers = [run for run in runs if run.kind == "teacher" and (run.task, run.teacher) in used]
    return Board(build_rows(runs, shown or None), trials, teachers)


def best_curves(trials: list[Run], most: int) -> list[Run]:
    """At most so many trials: the best of each method in turn, so that none is crowded out."""
    if len(trials) <= most:
        return trials
    queues: dict[tuple[str, str | None], list[Run]] = {}
    for run in sorted(trials, key=_merit, reverse=True):
        queues.setdefault((run.task, run.method), []).append(run)
    chosen: set[str] = set()
    turns = (run for turn in range(len(trials)) for queue in queues.values() for run in queue[turn : turn + 1])
    for run in turns:
        chosen.add(run.run_id)
        if len(chosen) == most:
            break
    return [run for run in trials if run.run_id in chosen]


def _merit(run: Run) -> float:
    value = figure(run, "search")
    return float("-inf") if value is None else metrics.merit(metric_of(run), value)
