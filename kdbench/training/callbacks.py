"""How a training reports: a small interface, so that it runs without Ray and without MLflow."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Evaluation:
    """What is known after an epoch's evaluation.

    Attributes:
        epoch: epochs done, from 1.
        value: the task's metric on the search split, 0..1.
        metrics: `val/mAP`, ..., `train/loss`, `train/<term>`, `lr`, `sec_per_iter` (seconds), `cost/...`.
    """

    epoch: int
    value: float
    metrics: dict[str, float]

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """How a training ended that was not stopped from outside.

    Attributes:
        end: completed, infeasible or failed.
        reason: why, in a sentence, when it is not completed.
        summary: `best/mAP`, `cost/device_hours`, `cost/peak_memory_gb`, `cost/params_m`, ..., `report/mAP` for finalists.
    """

    end: str
    reason: str | None = None
    summary: dict[str, float] = field(default_factory=dict)
    history: list[Evaluation] = field(default_factory=list)


class TrainingCallback:
    """Override what is of interest. Called in the process of rank 0 only.

    Example:
        >>> class Print(TrainingCallback):
        ...     def on_evaluation(self, evaluation):
        ...         print(evaluation.epoch, evaluation.value)
    """

    def on_iteration(self, iteration: int, max_iterations: int, terms: dict[str, float]) -> None:
        """After each training step; iteration counts from 1 over the whole training."""

    def on_note(self, text: str) -> None:
        """Something that a user should know and that does not end the training, in a line."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """After an evaluation was made and its checkpoint is on the disk. May raise to stop the training."""
