"""A trainer for tests of the board: figures by a formula, one trial at a time, and a kill wherever it is wanted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdbench.search.board import Board
from kdbench.search.trials import Listener, TrialState
from kdbench.specs.study import BASELINE, StudyPlan

HOURS = 0.1
"""Device-hours of an epoch."""


class Killed(Exception):
    """The driver died."""


class Death(Listener):
    """Kills the driver after so many events that listeners are told of."""

    def __init__(self, after: int | None) -> None:
        self.left = after

    def _count(self, *_: Any) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    on_start = on_report = on_end = on_news = _count


class Formula:
    """mAP of a trial: its arm's height, less the distance of its weight from the arm's best one, plus noise of its seed.

    Args:
        heights: of the arms; the baseline has 0.2.
        best: the weight at which each arm is best.
    """

    def __init__(
        self, heights: Mapping[str, float], best: Mapping[str, float] | None = None, noise: float = 0.002
    ) -> None:
        self.heights, self.best, self.noise = {BASELINE: 0.2, **heights}, best or {}, noise
        self.trained: list[tuple[str, int]] = []
        """Every epoch that was trained: recipe and epoch."""

    def value(self, trial: TrialState, epoch: int) -> float:
        """On the search split."""
        weight = float(trial.recipe.method.params.get("weight", 1.0))
        away = abs(math.log10(weight / self.best.get(trial.arm, 1.0)))
        digits = int(hashlib.sha256(trial.recipe.hash.encode()).hexdigest()[:8], 16) / 2**32
        final = self.heights[trial.arm] - 0.02 * away + self.noise * (2 * digits - 1)
        return final * (1 - math.exp(-epoch / 2))

    def train(self, board: Board, trial: TrialState) -> None:
        """Until it ends, waits or is stopped."""
        if trial.stage == "teacher":
            board.end(trial, "completed", None, {"cost/device_hours": 1.0})
            board.teacher_stored(trial.recipe.hash)
            return
        for epoch in range(1, trial.epochs + 1):
            value = self.value(trial, epoch)
            if epoch not in trial.reports:
                self.trained.append((trial.recipe.hash, epoch))
            if board.report(trial, epoch, value, {"val/mAP": value, "cost/device_hours": HOURS * epoch}):
                if trial.stop:
                    board.end(trial, "pruned", None, {"cost/device_hours": HOURS * epoch})
                return
        summary = {"best/mAP": value, "cost/device_hours": HOURS * trial.epochs}
        if trial.stage == "final":
            summary["report/mAP"] = value - 0.01
        board.end(trial, "completed", None, summary)

    def play(self, board: Board) -> None:
        """Until nothing is left."""
        while (trial := board.next()) is not None:
            self.train(board, trial)


def open_board(plan: StudyPlan, folder: Path, after: int | None = None, **more: Any) -> Board:
    """A board on what its folder has; it dies after so many events."""
    folder.mkdir(exist_ok=True)
    ready = more.pop("teacher_ready", (folder / "ready").exists())
    board = Board(plan, folder, teacher_ready=ready, listeners=[Death(after)], **more)
    board.settle()
    return board


def played(formula: Formula, plan: StudyPlan, folder: Path, **more: Any) -> Board:
    """A study from its beginning to its end."""
    board = open_board(plan, folder, **more)
    formula.play(board)
    return board


def picture(board: Board) -> dict[str, Any]:
    """All that a kill must not change."""
    trials = {
        t.id: (t.recipe.hash, t.end, t.reason, sorted(t.reports.items()), t.origin) for t in board.trials.values()
    }
    rounds = [(r.number, r.shares) for r in board.rounds.rounds]
    return {"trials": trials, "rounds": rounds, "drops": board.rounds.drops, "race": board.finals.standing()}
