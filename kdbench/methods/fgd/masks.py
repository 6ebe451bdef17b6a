"""FGD's masks: each cell of an object weighs 1 / (cells of the object), each other cell 1 / (background cells)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kdbench.methods.shared.masks import Size, on_device

CHUNK = 2**25
"""Weights held at a time: 128 MiB in float32."""


@torch.no_grad()
def focal_weights(boxes: list[Tensor], scales: Sequence[Size], size: Size) -> tuple[Tensor, Tensor]:
    """Foreground and background weights of a map.

    A box's cells go by its proportion of `scales`: rows floor(y1) to ceil(y2), columns floor(x1) to ceil(x2), both
    included; where boxes overlap the larger weight counts, which is the smaller object's. Every box acts on every level.

    Shapes: boxes per image (G, 4); scales per image (height, width) in pixels that stand for the whole map; size (H, W)
        -> two of (N, H, W), float32. An image without boxes has no foreground and a background of equal weights.
    Reference: Focal and Global Knowledge Distillation for Detectors, CVPR 2022, arXiv 2111.11837.
    """
    H, W = size
    device = boxes[0].device
    ends = on_device([[W, H, W, H]], device)
    sides = on_device([[w, h, w, h] for h, w in scales], device)
    painted = [_painted(one.float() / side * ends, size) for one, side in zip(boxes, sides, strict=True)]
    fg = torch.stack(painted)
    bg = (fg == 0).float()
    return fg, bg / bg.sum((1, 2), keepdim=True).clamp(min=1)


def _painted(cells: Tensor, size: Size) -> Tensor:
    """The foreground of one image. Shapes: cells (G, 4), in cells of the map -> (H, W)."""
    H, W = size
    first, last = cells[:, :2].floor(), cells[:, 2:].ceil()
    weight = 1 / (last + 1 - first).prod(1)
    fg = cells.new_zeros(size)
    step = max(1, CHUNK // (H * W))
    for begin in range(0, len(cells), step):
        part = slice(begin, begin + step)
        columns = _within(W, first[part, 0], last[part, 0])
        rows = _within(H, first[part, 1], last[part, 1]) * weight[part, None]
        fg = torch.maximum(fg, (rows[:, :, None] * columns[:, None, :]).amax(0))
    return fg


def _within(length: int, first: Tensor, last: Tensor) -> Tensor:
    """1 at the cells from first to last, both included. Shapes: (G,) -> (G, length)."""
    cells = torch.arange(length, device=first.device)
    return ((cells >= first[:, None]) & (cells <= last[:, None])).float()
