"""ICD's losses, all in float32: two auxiliary tasks, the imitation of values, and their reconstruction."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Form = Literal["mse", "l1", "smoothL1", "L2", "squared"]
ValueNorm = Literal["ln", "tln", "none"]


def identification(logit: Tensor, real: Tensor, valid: Tensor) -> Tensor:
    """Does the described object exist? Binary cross entropy, averaged over the descriptions of the whole batch.

    Shapes: logit (N, K); real, valid (N, K) bool -> scalar.
    """
    with torch.autocast(logit.device.type, enabled=False):
        each = F.binary_cross_entropy_with_logits(logit.float(), real.float(), reduction="none")
        return (each * valid).sum() / valid.sum(dtype=torch.float32).clamp(min=1)


def localisation(sides: Tensor, target: Tensor, real: Tensor) -> Tensor:
    """sum_{l,t,r,b} |sides - target| / extent, averaged over the real objects of the batch; 0 without any.

    `extent` is the box's width (for l, r) or height (for t, b), so a small box counts as much as a large one.

    Shapes: sides, target (N, K, 4) distances to left, top, right, bottom; real (N, K) bool -> scalar.
    """
    with torch.autocast(sides.device.type, enabled=False):
        extent = (target + target.roll(2, dims=-1)).clamp(min=1e-7)
        each = ((sides.float() - target).abs() / extent).sum(-1)
        return (each * real).sum() / real.sum(dtype=torch.float32).clamp(min=1)


def imitation(student: Tensor, teacher: Tensor, weight: Tensor, form: Form, norm: ValueNorm, eps: float) -> Tensor:
    """How far the student's values are from the teacher's where the weights look; the teacher gets no gradient.

    With e the mean over a head's channels of the squared (mse, L2, squared), absolute (l1) or Huber (smoothL1)
    difference of the normalised values, and a the weights:

        mse            mean_{n,m}  sum_s(a e) / max(sum_s a, 1e-6)
        the others     sum(a e) / max(sum a, 1e-6), of which L2 takes the square root

    Shapes: student, teacher (N, S, M, d); weight (N, M, S) -> scalar. Without any weight it is 0.
    """
    with torch.autocast(student.device.type, enabled=False):
        ours, theirs = student.float(), teacher.detach().float()
        ours = F.layer_norm(ours, ours.shape[-1:], eps=eps) if norm == "ln" else ours
        theirs = F.layer_norm(theirs, theirs.shape[-1:], eps=eps) if norm != "none" else theirs
        weighted = weight * _difference(ours, theirs, form).mean(-1).transpose(1, 2)
        if form == "mse":
            return (weighted.sum(-1) / weight.sum(-1).clamp(min=1e-6)).mean()
        mean = weighted.sum() / weight.sum().clamp(min=1e-6)
        return _root(mean) if form == "L2" else mean


def reconstruction(rebuilt: Tensor, tokens: Tensor) -> Tensor:
    """Mean squared error; the tokens get no gradient.

    Shapes: (N, S, D) both -> scalar.
    """
    with torch.autocast(rebuilt.device.type, enabled=False):
        return F.mse_loss(rebuilt.float(), tokens.detach().float())


def _difference(ours: Tensor, theirs: Tensor, form: Form) -> Tensor:
    if form == "l1":
        return (ours - theirs).abs()
    if form == "smoothL1":
        return F.smooth_l1_loss(ours, theirs, reduction="none")
    return (ours - theirs).square()


def _root(mean: Tensor) -> Tensor:
    """The square root, with gradient 0 instead of infinity at 0."""
    positive = mean > 0
    return torch.where(positive, mean, torch.ones_like(mean)).sqrt() * positive
