"""Asynchronous successive halving (ASHA) that remembers: Ray's own scheduler, fed again from the ledger on resume.

Reference: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020, arXiv 1810.05934.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

from ray.tune.schedulers import ASHAScheduler, TrialScheduler


class Halving:
    """Which trials of one arm go on. Baseline and method never compete with each other.

    Args:
        epochs: epochs of a whole trial.
        grace: epochs that every trial may have.
        factor: of the trials that reach a rung, one in `factor` goes on.
        mode: whether the best values are the largest or the smallest.
    """

    def __init__(self, epochs: int, grace: int = 1, factor: int = 3, mode: Literal["max", "min"] = "max") -> None:
        self._scheduler = ASHAScheduler(
            time_attr="epoch",
            metric="value",
            mode=mode,
            max_t=epochs + 1,
            grace_period=max(1, min(grace, epochs)),
            reduction_factor=factor,
            stop_last_trials=False,
        )
        self._epochs = epochs
        self._known: dict[str, Any] = {}

    def report(self, trial: str, epoch: int, value: float) -> bool:
        """Tell a value (of the task's metric) in the order in which values come; True: stop this trial."""
        if trial not in self._known:
            self._known[trial] = SimpleNamespace(trial_id=trial)
            self._scheduler.on_trial_add(None, self._known[trial])
        decision = self._scheduler.on_trial_result(None, self._known[trial], {"epoch": epoch, "value": value})
        return decision == TrialScheduler.STOP and epoch < self._epochs
