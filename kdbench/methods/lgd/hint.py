"""LGD's hint: the student's maps through an adapter, against the branch's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdbench.methods.base import zero
from kdbench.methods.shared.align import in_precision_of


class Adapter(nn.Sequential):
    """3x3 convolutions of equal width with ReLU between them; one for all levels.

    Shapes: (N, C, H, W) -> the same.
    """

    def __init__(self, channels: int, depth: int) -> None:
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Conv2d(channels, channels, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
        super().__init__(*layers[:-1])

    def forward(self, input: Tensor) -> Tensor:
        weight = next(self.parameters())
        adapted: Tensor = super().forward(in_precision_of(weight, input))
        return adapted


def hint_loss(adapted: Sequence[Tensor], maps: Sequence[Tensor]) -> Tensor:
    """mean (IN(A) - IN(Z))^2 over the elements of all levels of more than one cell, in float32; no gradient into Z.

    Shapes: adapted[l], maps[l] (N, C, H_l, W_l) -> scalar; a connected 0 if all levels are of one cell.
    """
    total, elements = zero(adapted[0]), 0
    with torch.autocast(adapted[0].device.type, enabled=False):
        for ours, theirs in zip(adapted, maps, strict=True):
            if ours[0, 0].numel() == 1:
                total = total + ours.float().sum() * 0
                continue
            difference = (F.instance_norm(ours.float()), F.instance_norm(theirs.detach().float()))
            total = total + F.mse_loss(*difference, reduction="sum")
            elements += ours.numel()
    return total / max(1, elements)
