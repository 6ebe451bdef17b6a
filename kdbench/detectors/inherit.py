"""Weights that a student takes over from its teacher before the training."""

from __future__ import annotations

import torch
from torch import nn

PARTS = ("neck.", "bbox_head.", "rpn_head.", "roi_head.", "mask_head.")


@torch.no_grad()
def inherit(student: nn.Module, teacher: nn.Module) -> tuple[int, int]:
    """Copy the neck's and the heads' weights wherever name and shape agree; the backbone keeps its own.

    Returns:
        How many tensors were copied, and how many of the student's neck and heads had no equal.

    Reference: Instance-Conditional Knowledge Distillation, NeurIPS 2021, arXiv 2110.12724 (inheriting strategy).

    Example:
        >>> inherit(student, teacher)
        (38, 4)
    """
    theirs = teacher.state_dict()
    copied = skipped = 0
    for name, value in student.state_dict().items():
        if not name.startswith(PARTS):
            continue
        if name in theirs and theirs[name].shape == value.shape:
            value.copy_(theirs[name])
            copied += 1
        else:
            skipped += 1
    return copied, skipped
