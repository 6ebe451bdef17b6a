"""A search by a metric of which less is better does, turned round, what a search by any other does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.running.progress import ProgressView
from kdbench.search.board import Board
from kdbench.search.trials import TrialState
from kdbench.specs.recipe import TeacherRef
from kdbench.specs.space import load_space
from kdbench.specs.study import StudyPlan
from kdbench.specs.task import load_task


def plan(metric: str, **changes: Any) -> StudyPlan:
    from kdbench.methods import registry

    values = {
        "study": "s",
        "task": load_task("shapes_two_stage", {"metric": metric}),
        "method": "defeat",
        "space": load_space("defeat"),
        "defaults": registry.get("defeat").Params().plain(),
        "detector": "two_stage",
        "trials": 20,
        "teacher": TeacherRef(config="x", id="t"),
    }
    return StudyPlan.model_validate({**values, **changes})


def value(trial: TrialState, epoch: int) -> float:
    """A made-up figure, a function of the proposal and the number; an mMR is one less it."""
    weight = trial.proposal.get("neck_fg_weight", 9.0)
    quality = float(1 / (1 + abs(weight - 5)) * (0.6 + 0.4 * (epoch / 8)) - trial.number * 1e-4)
    return 1 - quality if trial.recipe.metric == "mMR" else quality


def played(folder: Path, metric: str, **changes: Any) -> Board:
    """A board whose trials were all trained, one at a time."""
    folder.mkdir()
    board = Board(plan(metric, **changes), folder, teacher_ready=True, listeners=[])
    while (trial := board.next()) is not None:
        for epoch in range(1, 9):
            if board.report(trial, epoch, value(trial, epoch), {"val/mAP": 0.1}):
                board.end(trial, "pruned", None, {})
                break
        else:
            board.end(trial, "completed", None, {})
    assert board.done
    return board


@pytest.mark.parametrize("scheduler", ["none", "asha"])
def test_proposals_pruning_and_the_best_are_the_same(tmp_path: Path, scheduler: str) -> None:
    more, less = (played(tmp_path / metric, metric, scheduler=scheduler, seeds=2) for metric in ("mAP", "mMR"))
    for ours, theirs in zip(less.trials.values(), more.trials.values(), strict=True):
        assert (ours.id, ours.proposal, ours.end) == (theirs.id, theirs.proposal, theirs.end)
    assert ("pruned" in {trial.end for trial in less.trials.values()}) == (scheduler == "asha")
    best, other = less.best("defeat"), more.best("defeat")
    assert best is not None
    assert other is not None
    assert best.id == other.id
    ended = [t for t in less.trials.values() if t.arm == "defeat" and t.stage == "search" and t.end == "completed"]
    assert best.best == min(trial.best for trial in ended if trial.best is not None)
    assert best.best == min(reported for reported, _ in best.reports.values())


def test_a_trial_that_never_reported_is_not_the_best(tmp_path: Path) -> None:
    board = Board(plan("mMR"), tmp_path, teacher_ready=True, listeners=[])
    silent, told = board.next(), board.next()
    assert silent is not None
    assert told is not None
    board.report(told, 1, 0.9, {"val/mAP": 0.1})
    for trial in (silent, told):
        board.end(trial, "completed", None, {})
    best = board.best("none")
    assert best is not None
    assert (best.id, best.best) == (told.id, 0.9)


def test_what_a_stopped_trial_reached(tmp_path: Path) -> None:
    from kdbench.search.trials import last_costs

    board = Board(plan("mMR"), tmp_path, teacher_ready=True, listeners=[])
    trial = board.next()
    assert trial is not None
    board.report(trial, 1, 0.7, {"val/mAP": 0.2, "cost/device_hours": 1.0})
    board.report(trial, 2, 0.8, {"val/mAP": 0.3, "cost/device_hours": 2.0})
    assert last_costs(trial) == {"best/mAP": 0.3, "best/mMR": 0.7, "cost/device_hours": 2.0}


def test_progress_shows_the_lowest(tmp_path: Path) -> None:
    board = played(tmp_path / "mMR", "mMR", trials=3)
    view = ProgressView()
    view.board = board
    best = board.best("defeat")
    assert best is not None
    assert f"best {best.id} {best.best:.3f}" in view.line()
