"""A 1x1 convolution that brings a student's map to the teacher's number of channels, where the two differ."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Align(nn.Conv2d):
    """1x1 convolution with bias and torch's default initial values.

    Shapes: (N, C_s, H, W) -> (N, C_t, H, W).

    Example:
        >>> Align(16, 32)(torch.rand(1, 16, 5, 5)).shape
        torch.Size([1, 32, 5, 5])
    """

    def __init__(self, channels: int, teacher_channels: int) -> None:
        super().__init__(channels, teacher_channels, kernel_size=1)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(in_precision_of(self.weight, input))


def aligner(channels: int, teacher_channels: int) -> nn.Module:
    """An `Align`, or the identity, which has no parameters, for equal numbers of channels."""
    return nn.Identity() if channels == teacher_channels else Align(channels, teacher_channels)


def in_precision_of(weight: Tensor, input: Tensor) -> Tensor:
    """A map in a layer's precision, unless autocast sees to it: a student in mmcv's fp16 hands over half precision."""
    return input if torch.is_autocast_enabled(input.device.type) else input.to(weight.dtype)
