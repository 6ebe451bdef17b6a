"""What follows from a trial's events outside the ledger: MLflow, the teacher store, tidying up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.search.board import TEACHER, Board, Listener, TrialState
from kdbench.specs.study import StudyPlan
from kdbench.training import checkpoints, teachers


class Recorder(Listener):
    """Writes trials into MLflow. Only the driver writes; every call is idempotent."""

    def __init__(self, tracker: Any, plan: StudyPlan, folder: Path) -> None:
        self.tracker, self.plan, self.folder = tracker, plan, folder

    def on_start(self, trial: TrialState) -> None:
        self.key(trial)

    def on_report(self, trial: TrialState, epoch: int) -> None:
        self.tracker.log_epoch(self.key(trial), epoch, trial.reports[epoch][1])

    def on_end(self, trial: TrialState) -> None:
        assert trial.end is not None
        workdir = self.folder / "trials" / trial.id
        artifacts = [workdir / name for name in ("mmdet_config.py", "log.txt", "error.txt")]
        self.tracker.close(
            self.key(trial),
            trial.end,
            summary=trial.summary,
            reason=trial.reason,
            artifacts=[path for path in artifacts if path.is_file()],
        )

    def catch_up(self, board: Board) -> None:
        """Write what the ledger has and MLflow lacks: after a kill, or a server that was away."""
        for trial in board.trials.values():
            key = self.key(trial)
            for epoch in sorted(trial.reports):
                self.tracker.log_epoch(key, epoch, trial.reports[epoch][1])
            if trial.end is not None:
                self.on_end(trial)

    def key(self, trial: TrialState) -> str:
        """The run of a trial in the tracker; made if it is not there."""
        recipe, plan = trial.recipe, self.plan
        if trial.id == TEACHER:
            key: str = self.tracker.open_teacher(
                plan.task.name, recipe.hash, recipe=recipe.plain(), recipe_hash=recipe.hash, seed=recipe.seed
            )
            return key
        key = self.tracker.open_trial(
            plan.task.name,
            plan.study,
            trial.id,
            method=trial.arm,
            recipe=recipe.plain(),
            recipe_hash=recipe.hash,
            config_hash=recipe.config_hash,
            seed=recipe.seed,
            teacher=plan.teacher.id if plan.teacher else None,
            stage=trial.stage,
            tags={},
        )
        return key


class Keeper(Listener):
    """Puts a trained teacher into the store, and removes what an ended trial no longer needs."""

    def __init__(self, board_plan: StudyPlan, folder: Path, storage: Path) -> None:
        self.plan, self.folder, self.storage = board_plan, folder, storage
        self.board: Board | None = None

    def on_end(self, trial: TrialState) -> None:
        workdir = self.folder / "trials" / trial.id
        if trial.id == TEACHER and trial.end == "completed":
            assert self.plan.teacher is not None
            assert self.board is not None
            content = {"source": "trained", "recipe": trial.recipe.plain(), "summary": trial.summary}
            teachers.publish(self.storage, self.plan.teacher, workdir / "student.pth", content)
            self.board.teacher_ready = True
        if trial.end in ("completed", "pruned", "infeasible"):
            (workdir / checkpoints.FILE).unlink(missing_ok=True)
