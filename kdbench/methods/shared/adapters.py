"""Adaptation layers: a 3x3 convolution that brings a student's map to the teacher's number of channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Adapter(nn.Conv2d):
    """3x3 convolution (or another odd `kernel`) that keeps the size, with bias; `relu` adds the activation used on backbone stages.

    weight = init_std * fmod(normal(0, 1), 2); the bias keeps torch's default. So the adapted map starts near a small
    constant and the student is not pushed around by a random projection.

    Shapes: (N, C_s, H, W) -> (N, C_t, H, W).
    Reference: Distilling Object Detectors via Decoupled Features, CVPR 2021, arXiv 2103.14475.

    Example:
        >>> Adapter(16, 32)(torch.rand(1, 16, 5, 5)).shape
        torch.Size([1, 32, 5, 5])
    """

    def __init__(
        self, channels: int, teacher_channels: int, *, relu: bool = False, init_std: float = 1e-4, kernel: int = 3
    ) -> None:
        super().__init__(channels, teacher_channels, kernel_size=kernel, padding=kernel // 2)
        self.relu = relu
        with torch.no_grad():
            self.weight.normal_().fmod_(2).mul_(init_std)

    def forward(self, input: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(input.device.type):
            # A student in mmcv's fp16 hands over half precision where nothing casts it for us.
            input = input.to(self.weight.dtype)
        adapted = super().forward(input)
        return F.relu(adapted) if self.relu else adapted


def adapter(
    channels: int, teacher_channels: int, *, adapt: bool, relu: bool, init_std: float, kernel: int = 3
) -> nn.Module:
    """An `Adapter`, or the identity, which has no parameters."""
    if not adapt:
        return nn.Identity()
    return Adapter(channels, teacher_channels, relu=relu, init_std=init_std, kernel=kernel)
