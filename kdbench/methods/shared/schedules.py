"""The factor by which a training's progress multiplies every distillation term."""

from __future__ import annotations

import math
from typing import Literal

from kdbench.methods.base import Progress

Decay = Literal["none", "linear", "cosine", "up_down"]
DecayUnit = Literal["epoch", "iter"]


def decay_factor(decay: Decay, step: int, steps: int) -> float:
    """The factor at step e of E, both counted from 0.

    none     1
    linear   1 - e/E, so never 0
    cosine   0.5 * cos(pi * e/E) + 0.5
    up_down  with t = floor(E/4), at least 1: 1 + e/t while e <= t, then 2 - 2 * (e - t)/(E - t)

    Differs from the official code: `up_down` with E < 4 takes t = 1, where that divides by 0.

    Example:
        >>> [decay_factor("linear", e, 4) for e in range(4)]
        [1.0, 0.75, 0.5, 0.25]
    """
    if decay == "none":
        return 1.0
    if decay == "linear":
        return 1 - step / steps
    if decay == "cosine":
        return 0.5 * math.cos(math.pi * step / steps) + 0.5
    top = max(1, steps // 4)
    return 1 + step / top if step <= top else 2 - 2 * (step - top) / (steps - top)


def factor(progress: Progress, decay: Decay = "none", unit: DecayUnit = "epoch", warmup_iters: int = 0) -> float:
    """`decay_factor` per epoch or per iteration; 0 during the first `warmup_iters` iterations.

    Example:
        >>> factor(Progress(epoch=3, max_epochs=4, iteration=30, max_iterations=40), "linear")
        0.25
    """
    if progress.iteration < warmup_iters:
        return 0.0
    if unit == "epoch":
        return decay_factor(decay, progress.epoch, max(1, progress.max_epochs))
    return decay_factor(decay, progress.iteration, max(1, progress.max_iterations))
