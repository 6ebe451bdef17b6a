"""Where a token of a pyramid lies: in the padding or not, and its sine code."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kdbench.methods.shared.masks import Size, on_device

BASE = 10000.0


def padding_masks(
    image_sizes: Sequence[Size], canvas: Size, sizes: Sequence[Size], device: torch.device
) -> tuple[Tensor, ...]:
    """Per level, the cells in the padding.

    With stride s = (canvas height / H + canvas width / W) / 2, rows from ceil(image height / s) on are padding, and
    columns likewise.

    Shapes: image_sizes per image (height, width); sizes per level (H_l, W_l); result per level (N, H_l, W_l), bool.
    Units: pixels.
    """
    strides = [(canvas[0] / H + canvas[1] / W) / 2 for H, W in sizes]
    limits = [[math.ceil(side / stride) for stride in strides for side in size] for size in image_sizes]
    table = on_device(limits, device)
    found = []
    for level, (H, W) in enumerate(sizes):
        rows = torch.arange(H, device=device) < table[:, 2 * level, None]
        columns = torch.arange(W, device=device) < table[:, 2 * level + 1, None]
        found.append(~(rows[:, :, None] & columns[:, None, :]))
    return tuple(found)


@torch.no_grad()
def sine_code(padding: Tensor, width: int) -> Tensor:
    """Two-dimensional sine code of the cells inside the image: the first half of the channels for y, the rest for x.

    Cells are counted from 1 along each axis and divided by their number, so the code is relative to the image.
    Channel i of an axis has frequency 10000^(-2 floor(i/2) / (width/2)); even channels are sines, odd ones cosines.

    Shapes: (N, H, W) bool, `width` even -> (N, H, W, width), float32.
    """
    inside = ~padding
    order = torch.arange(width // 2, device=padding.device)
    scale = frequencies(width // 2, padding.device)
    halves = []
    for axis in (1, 2):
        count = inside.cumsum(axis, dtype=torch.float32)
        last = count.narrow(axis, count.shape[axis] - 1, 1)
        angle = (count / (last + 1e-6) * (2 * math.pi))[..., None] / scale
        halves.append(torch.where(order % 2 == 0, angle.sin(), angle.cos()))
    return torch.cat(halves, dim=-1)


def frequencies(count: int, device: torch.device) -> Tensor:
    """10000^(2 floor(i/2) / count) for i = 0..count-1: what angles are divided by.

    Shapes: (count,), float32.
    """
    order = torch.arange(count, dtype=torch.float32, device=device)
    return BASE ** (2 * (order // 2) / count)
