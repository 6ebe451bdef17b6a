"""mmcv's epoch runner, and the hooks that kdbench adds to it."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from typing import Any

import torch
from mmcv.runner import EpochBasedRunner, Hook
from torch import distributed

from kdbench.errors import Infeasible
from kdbench.methods.base import Progress
from kdbench.training.spending import Spending


class TrialRunner(EpochBasedRunner):
    """Tells the distiller how far the training is, and stops on a loss that is not a number.

    `train` is mmcv's without its pause of two seconds an epoch, which is longer than a small trial's epoch.
    """

    distiller: Any

    def train(self, data_loader: Any, **kwargs: Any) -> None:
        self.model.train()
        self.mode = "train"
        self.data_loader = data_loader
        self._max_iters = self._max_epochs * len(data_loader)
        data_loader.sampler.set_epoch(self.epoch)
        self.call_hook("before_train_epoch")
        for self._inner_iter, self.data_batch in enumerate(data_loader):
            self.call_hook("before_train_iter")
            self.run_iter(self.data_batch, train_mode=True, **kwargs)
            self.call_hook("after_train_iter")
            self._iter += 1
        self.call_hook("after_train_epoch")
        self._epoch += 1

    def run_iter(self, data_batch: Any, train_mode: bool, **kwargs: Any) -> None:
        self.distiller.set_progress(Progress(self.epoch, self.max_epochs, self.iter, self.max_iters))
        super().run_iter(data_batch, train_mode, **kwargs)
        finite = math.isfinite(self.outputs["log_vars"]["loss"])
        if _world() > 1:
            # All ranks stop together: one that goes on alone would wait for the others for ever.
            flag = torch.tensor(float(finite), device=self.outputs["loss"].device)
            distributed.all_reduce(flag, op=distributed.ReduceOp.MIN)
            finite = bool(flag.item())
        if not finite:
            bad = [k for k, v in self.outputs["log_vars"].items() if not math.isfinite(v)] or ["loss on another rank"]
            raise Infeasible(
                f"{bad[0]} became {self.outputs['log_vars'].get(bad[0], 'NaN')} at iteration {self.iter + 1}; "
                "lower the learning rate or the loss weights, or clip the gradient"
            )


class MeterHook(Hook):
    """Collects, over an epoch, the mean of each loss term, the seconds an iteration and the peak memory.

    Args:
        spending: where seconds and memory are noted now and then; None keeps no account.
    """

    def __init__(self, on_iteration: Any = None, spending: Spending | None = None) -> None:
        self.on_iteration, self.spending = on_iteration, spending
        self.peak_bytes = 0
        self.seconds = 0.0
        """Seconds of training and evaluation, resumed parts included."""
        self._began = time.monotonic()

    def before_run(self, runner: TrialRunner) -> None:
        self._began = time.monotonic()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def before_train_epoch(self, runner: TrialRunner) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.count = 0
        self.epoch_began = time.monotonic()

    def after_train_iter(self, runner: TrialRunner) -> None:
        terms = runner.outputs["log_vars"]
        for name, value in terms.items():
            self.sums[name] += float(value)
        self.count += 1
        if self.count % 10 == 1:
            self._look_at_memory()
        if self.spending is not None and self.spending.due:
            self.spending.note(self.lap(), self.peak_bytes)
        if self.on_iteration is not None:
            self.on_iteration(runner.iter + 1, runner.max_iters, dict(terms))

    def epoch_metrics(self) -> dict[str, float]:
        """`train/<term>` and `sec_per_iter` of the epoch that has just ended."""
        seconds = time.monotonic() - self.epoch_began
        means = {f"train/{name}": total / self.count for name, total in self.sums.items()}
        return {**means, "sec_per_iter": seconds / max(1, self.count)}

    def lap(self) -> float:
        """Seconds so far, resumed parts included. The peak of memory is brought up to date as well."""
        self._look_at_memory()
        now = time.monotonic()
        self.seconds += now - self._began
        self._began = now
        return self.seconds

    def _look_at_memory(self) -> None:
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            self.peak_bytes = max(self.peak_bytes, torch.cuda.max_memory_allocated())
        else:
            import psutil

            self.peak_bytes = max(self.peak_bytes, psutil.Process(os.getpid()).memory_info().rss)


class EpochEndHook(Hook):
    """Runs the trainer's end of an epoch: evaluation, checkpoint, report."""

    def __init__(self, end_of_epoch: Any) -> None:
        self.end_of_epoch = end_of_epoch

    def after_train_epoch(self, runner: TrialRunner) -> None:
        self.end_of_epoch(runner)


def _world() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
