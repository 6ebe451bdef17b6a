"""Squared error between two maps, averaged over the cells of a region. Always in float32."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from kdbench.errors import InputError

Norm = Literal["element", "position"]


def squared_error(student: Tensor, teacher: Tensor) -> Tensor:
    """sum_c (S - T)^2 at each cell. The teacher gets no gradient.

    Shapes: (N, C, H, W) both -> (N, H, W), float32.
    Raises:
        InputError: the maps' shapes differ.
    """
    if student.shape != teacher.shape:
        raise InputError(
            f"student map {tuple(student.shape)} and teacher map {tuple(teacher.shape)} differ in shape; "
            "use a student and a teacher with the same strides and feature sizes"
        )
    with torch.autocast(student.device.type, enabled=False):
        return (student.float() - teacher.detach().float()).square().sum(1)


def region_mean(error: Tensor, region: Tensor, channels: int, norm: Norm = "element") -> Tensor:
    """Half the mean of the error over a region of the whole batch: sum(R * error) / max(1, 2 * C * sum(R)).

    With `norm="position"` channels are not counted: the denominator is 2 * sum(R).

    Shapes: error (N, H, W) as `squared_error` gives it, region (N, H, W) bool -> scalar; an empty region gives 0.
    Reference: Distilling Object Detectors via Decoupled Features, CVPR 2021, arXiv 2103.14475.
    Differs from the paper: channels are counted, as the released code does; `position` is nearer to its formula.
    """
    with torch.autocast(error.device.type, enabled=False):
        count = region.sum(dtype=torch.float32) * (2 * channels if norm == "element" else 2)
        return (error * region).sum() / count.clamp(min=1)
