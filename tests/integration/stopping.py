"""A training that is cut off after an epoch, as a kill would."""

from __future__ import annotations

from kdbench.training.callbacks import Evaluation, TrainingCallback


class Stop(Exception):
    """The kill of a test."""


class StopAfter(TrainingCallback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_evaluation(self, evaluation: Evaluation) -> None:
        if evaluation.epoch == self.epoch:
            raise Stop
