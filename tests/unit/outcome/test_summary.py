"""What the run of a study or a suite says of it in MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.outcome.summary import NOTE, study_summary, suite_summary
from kdbench.search.board import Board
from kdbench.search.reuse import Trainings
from kdbench.search.suite_board import SuiteBoard
from kdbench.search.trials import Trials
from tests.unit.search.plans import plan
from tests.unit.search.test_suite_board import PLAIN, TAUGHT, suite

HOURS = 0.5


def played(board: Trials, figures: dict[str, list[float]]) -> None:
    """Train everything: the search reaches 0.3, a report figure is that of the method and the seed."""
    while (trial := board.next()) is not None:
        if trial.stage == "teacher":
            board.end(trial, "completed", None, {"cost/device_hours": 2.0})
            board.teacher_stored(trial.recipe.hash)
            continue
        board.report(trial, 1, 0.3, {"val/mAP": 0.3})
        summary = {"best/mAP": 0.3, "cost/device_hours": HOURS}
        if trial.stage != "search":
            own = figures[trial.recipe.method.name]
            summary["report/mAP"] = own[trial.recipe.seed % len(own)]
        board.end(trial, "completed", None, summary)


def study(folder: Path, seeds: int, figures: dict[str, list[float]] | None = None) -> Board:
    board = Board(plan(trials=2, seeds=seeds), folder, teacher_ready=False, listeners=[])
    played(board, figures or {})
    return board


def test_one_seed_is_of_the_search_split(tmp_path: Path) -> None:
    made = study_summary(study(tmp_path, 1))
    assert made.figures["best/value"] == made.figures["best/mAP"] == made.figures["baseline/value"] == 0.3
    assert (made.figures["delta"], made.figures["seeds"]) == (0.0, 1.0)
    assert "delta_ci95" not in made.figures
    assert made.tags["kdbench.split"] == "search"
    assert made.tags["kdbench.verdict"] == "single"
    assert made.tags["kdbench.best_trial"] == "defeat-000"


def test_finalists_are_of_the_report_split(tmp_path: Path) -> None:
    board = study(tmp_path, 3, {"none": [0.20, 0.22, 0.21], "defeat": [0.30, 0.33, 0.30]})
    made = study_summary(board)
    assert made.figures["best/mAP"] == pytest.approx(0.31)
    assert made.figures["baseline/mAP"] == pytest.approx(0.21)
    assert made.figures["delta"] == pytest.approx(0.10)
    # Differences 0.10, 0.11, 0.09: standard error 0.01/sqrt(3), t(0.975, 2) = 4.302653.
    assert made.figures["delta_ci95"] == pytest.approx(4.302653 * 0.01 / 3**0.5, rel=1e-5)
    assert (made.tags["kdbench.verdict"], made.tags["kdbench.split"]) == ("better", "report")
    assert made.figures["seeds"] == 3
    trials = len(board.trials)
    assert made.figures["trials"] == made.figures["trials/completed"] == trials
    assert made.figures["cost/teacher_device_hours"] == 2.0
    assert made.figures["cost/search_device_hours"] == HOURS * (trials - 1)
    assert made.figures["cost/device_hours"] == HOURS * (trials - 1) + 2.0
    assert "+0.100, better" in made.tags[NOTE]


def test_a_study_with_nothing_yet(tmp_path: Path) -> None:
    made = study_summary(Board(plan(), tmp_path, teacher_ready=True, listeners=[]))
    assert made.figures == {"trials": 0.0, "cost/device_hours": 0.0, "cost/search_device_hours": 0.0}
    assert "kdbench.verdict" not in made.tags


def test_a_suite_tells_its_best_row_for_each_task(tmp_path: Path) -> None:
    board = SuiteBoard(
        suite((PLAIN, TAUGHT)), tmp_path, stored=(), finished=Trainings(tmp_path / "x", None), listeners=[]
    )
    played(board, {"none": [0.20, 0.22], "pkd": [0.30, 0.32]})
    made = suite_summary(board, "shapes")
    assert made.tags["kdbench.best_trial"] == "taught"
    assert made.figures["delta"] == pytest.approx(0.10)
    assert made.figures["trials/reused"] == 0
    assert suite_summary(board, "bccd").figures["trials"] == 0
