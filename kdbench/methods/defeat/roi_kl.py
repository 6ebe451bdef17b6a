"""Kullback-Leibler divergence between two networks' class logits, averaged over groups of proposals."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from kdbench.methods.base import RoiLogits

Group = Literal["fg", "bg", "all", "fg_correct", "correct"]


def kl_rows(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """T^2 * sum_k q_k (log q_k - log p_k), q = softmax(teacher / T), p = softmax(student / T), in float32.

    Shapes: (R, K+1) logits both -> (R,).
    """
    with torch.autocast(student.device.type, enabled=False):
        log_p = (student.float() / temperature).log_softmax(1)
        log_q = (teacher.detach().float() / temperature).log_softmax(1)
        return (log_q.exp() * (log_q - log_p)).sum(1) * temperature**2


def rows_of(group: Group, logits: RoiLogits, num_classes: int) -> Tensor:
    """Which rows a group holds. Background is the label K, whichever labels the batch has.

    fg: label < K; bg: the rest; all; correct: the teacher's arg-max is the label; fg_correct: both.

    Shapes: -> (R,), bool.
    """
    fg = logits.labels < num_classes
    if group == "fg":
        return fg
    if group == "bg":
        return ~fg
    if group == "all":
        return torch.ones_like(fg)
    correct = logits.teacher.detach().argmax(1) == logits.labels
    return correct & fg if group == "fg_correct" else correct


def group_kl(logits: RoiLogits, group: Group, num_classes: int, temperature: float = 1.0) -> Tensor:
    """The mean of `kl_rows` over a group of rows of the whole batch; an empty group gives exactly 0.

    Shapes: logits (R, K+1) -> scalar.
    Reference: Distilling Object Detectors via Decoupled Features, CVPR 2021, arXiv 2103.14475.
    Differs from the paper: nothing; the released code takes the largest label present as background, which is wrong
        where a batch has none.

    Example:
        >>> same = RoiLogits(torch.ones(2, 3), torch.ones(2, 3), torch.tensor([0, 2]))
        >>> group_kl(same, "fg", num_classes=2)
        tensor(0.)
    """
    rows = rows_of(group, logits, num_classes)
    divergence = kl_rows(logits.student, logits.teacher, temperature)
    return divergence.where(rows, 0.0).sum() / rows.sum(dtype=torch.float32).clamp(min=1)
