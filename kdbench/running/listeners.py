"""What follows from a trial's events outside the ledger: MLflow, the teacher store, tidying up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.data import Prepared
from kdbench.detectors import teachers
from kdbench.running.inputs import splits_of
from kdbench.search.trials import Listener, Trials, TrialState
from kdbench.specs.recipe import Recipe
from kdbench.training import checkpoints


class Recorder(Listener):
    """Writes trials into MLflow. Only the driver writes; every call is idempotent."""

    board: Trials

    def __init__(self, tracker: Any) -> None:
        self.tracker = tracker
        self.data_of: Callable[[Recipe], Prepared | None] = lambda recipe: None
        """Gives the prepared dataset of a recipe."""

    def on_start(self, trial: TrialState) -> None:
        self.key(trial)

    def on_report(self, trial: TrialState, epoch: int) -> None:
        self.tracker.log_epoch(self.key(trial), epoch, trial.reports[epoch][1])

    def on_end(self, trial: TrialState) -> None:
        assert trial.end is not None
        workdir = self.board.folder / "trials" / trial.id
        artifacts = [workdir / name for name in ("mmdet_config.py", "log.txt", "error.txt")]
        self.tracker.close(
            self.key(trial),
            trial.end,
            summary=trial.summary,
            reason=trial.reason,
            artifacts=[path for path in artifacts if path.is_file()],
        )

    def catch_up(self) -> None:
        """Write what the ledger has and MLflow lacks: after a kill, or a server that was away."""
        for trial in self.board.trials.values():
            key = self.key(trial)
            for epoch in sorted(trial.reports):
                self.tracker.log_epoch(key, epoch, trial.reports[epoch][1])
            if trial.end is not None:
                self.on_end(trial)

    def key(self, trial: TrialState) -> str:
        """The run of a trial in the tracker; made if it is not there."""
        recipe = trial.recipe
        known: dict[str, Any] = {"recipe": recipe.plain(), "recipe_hash": recipe.hash, "seed": recipe.seed}
        known["splits"] = splits_of(recipe.dataset, self.data_of(recipe))
        if trial.stage == "teacher":
            key: str = self.tracker.open_teacher(recipe.task, trial.given or recipe.hash, **known)
            return key
        key = self.tracker.open_trial(
            recipe.task,
            self.board.name,
            trial.id,
            method=recipe.method.name,
            config_hash=recipe.config_hash,
            teacher=self.board.teacher_of(trial),
            stage=trial.stage,
            tags=self.tags(trial),
            **known,
        )
        return key

    def tags(self, trial: TrialState) -> dict[str, str]:
        """Further tags of a trial's run."""
        return {"kdbench.reused": trial.reused} if trial.reused else {}


class Keeper(Listener):
    """Puts a trained teacher, or the figures of a given one, into the store, and removes what an ended trial no longer needs."""

    board: Trials

    def __init__(self, storage: Path) -> None:
        self.storage = storage

    def lost(self, trial: TrialState) -> str | None:
        """Why the weights of a teacher that was trained are nowhere; None where the store or the trial's folder has them."""
        if trial.given or (self.storage / "teachers" / trial.recipe.hash / teachers.WEIGHTS).is_file():
            return None
        from kdbench.detectors.weights import damage

        weights = self.board.folder / "trials" / trial.id / "student.pth"
        reason = damage(weights, trial.recipe.hash)
        return None if reason is None else f"{weights}: {reason}"

    def on_end(self, trial: TrialState) -> None:
        workdir = self.board.folder / "trials" / trial.id
        if trial.given and trial.end == "completed":
            teachers.note_figures(self.storage, trial.given, trial.recipe, trial.summary)
        elif trial.stage == "teacher" and trial.end == "completed":
            content = {"source": "trained", "recipe": trial.recipe.plain(), "summary": trial.summary}
            teachers.publish(self.storage, trial.recipe.hash, workdir / "student.pth", content)
            self.board.teacher_stored(trial.recipe.hash)
        if trial.end in ("completed", "pruned", "infeasible"):
            checkpoints.remove(workdir)


def record_stored_teacher(tracker: Any, recipe: Recipe, storage: Path, data: Prepared | None) -> None:
    """A teacher that another study trained, or evaluated, is in this study's MLflow too, with what it cost then."""
    summary = teachers.figures(storage, recipe)
    if summary:
        identity = recipe.teacher.id if recipe.teacher else recipe.hash
        key = tracker.open_teacher(
            recipe.task,
            identity,
            recipe=recipe.plain(),
            recipe_hash=recipe.hash,
            seed=recipe.seed,
            splits=splits_of(recipe.dataset, data),
        )
        tracker.close(key, "completed", summary=summary, reason=None, artifacts=[])
