"""Maps that say which cells of a feature map a box covers: exact, and without a loop over boxes.

All boxes of a batch are stamped at once: four corner values a box in a difference array, then two running sums.
Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

Size = tuple[int, int]


def gt_masks(boxes: list[Tensor], strides: Sequence[int], sizes: Sequence[Size], margin: int = 0) -> tuple[Tensor, ...]:
    """Per FPN level, the cells of the boxes that belong to that level.

    Shapes: boxes per image (G, 4); result per level (N, H_l, W_l), bool.
    Units: boxes and strides in pixels of the padded input; margin in cells.

    Example:
        >>> gt_masks([torch.tensor([[0.0, 0.0, 15.0, 9.0]])], [8], [(2, 2)])[0].int().tolist()
        [[[1, 0], [0, 0]]]
    """
    flat, image = flatten(boxes)
    return paint(flat, image, box_levels(flat, len(strides)), len(boxes), strides, sizes, margin)


def backbone_mask(boxes: list[Tensor], stride: int, size: Size, margin: int = 0) -> Tensor:
    """One map with every box whatever its scale, at the finest anchor stride.

    Shapes: boxes per image (G, 4); result (N, H, W), bool.
    Differs from the official code: edges are clamped to the map here too; it changes nothing for boxes in the frame.
    """
    flat, image = flatten(boxes)
    return paint(flat, image, torch.zeros_like(image), len(boxes), [stride], [size], margin)[0]


def all_levels_masks(boxes: list[Tensor], strides: Sequence[int], sizes: Sequence[Size]) -> tuple[Tensor, ...]:
    """Per level, the cells of every box whatever its scale: for regions that are to be left out.

    Shapes: boxes per image (G, 4); result per level (N, H_l, W_l), bool.
    """
    flat, image = flatten(boxes)
    levels = torch.arange(len(strides), device=flat.device).repeat_interleave(len(flat))
    L = len(strides)
    return paint(flat.repeat(L, 1), image.repeat(L), levels, len(boxes), strides, sizes)


def inside_masks(
    image_sizes: Sequence[Size], strides: Sequence[int], sizes: Sequence[Size], device: torch.device
) -> tuple[Tensor, ...]:
    """Per level, the cells that begin inside the image, so not in its padding.

    Shapes: image_sizes per image (height, width); result per level (N, H_l, W_l), bool.
    """
    limits = on_device([list(size) for size in image_sizes], device)
    result = []
    for stride, (H, W) in zip(strides, sizes, strict=True):
        rows = torch.arange(H, device=device) * stride < limits[:, :1]
        columns = torch.arange(W, device=device) * stride < limits[:, 1:]
        result.append(rows[:, :, None] & columns[:, None, :])
    return tuple(result)


def one_masks(num_images: int, sizes: Sequence[Size], device: torch.device) -> tuple[Tensor, ...]:
    """Per level, every cell."""
    return tuple(torch.ones((num_images, *size), dtype=torch.bool, device=device) for size in sizes)


def resize_nearest(mask: Tensor, size: Size) -> Tensor:
    """Output cell (i, j) reads input cell (floor(i*H/h), floor(j*W/w)).

    Shapes: (N, H, W) -> (N, h, w).
    """
    H, W = mask.shape[-2:]
    rows = torch.arange(size[0], device=mask.device) * H // size[0]
    columns = torch.arange(size[1], device=mask.device) * W // size[1]
    return mask[:, rows[:, None], columns]


def box_levels(boxes: Tensor, num_levels: int) -> Tensor:
    """floor(log2(sqrt((x2-x1+1) * (y2-y1+1)) / 56 + 1e-6)), clamped to 0..num_levels-1.

    Shapes: (G, 4) -> (G,), int64.
    Units: pixels of the padded input.
    """
    x1, y1, x2, y2 = boxes.float().unbind(1)
    scale = ((x2 - x1 + 1) * (y2 - y1 + 1)).clamp(min=0).sqrt()
    return (scale / 56 + 1e-6).log2().floor().clamp(0, num_levels - 1).long()


def paint(
    boxes: Tensor,
    image: Tensor,
    level: Tensor,
    num_images: int,
    strides: Sequence[int],
    sizes: Sequence[Size],
    margin: int = 0,
) -> tuple[Tensor, ...]:
    """Stamp each box on its image's map of its level.

    Edges are divided by the stride and truncated, right and bottom are exclusive. If either extent collapses,
    a single cell is set: the one of the left upper corner.

    Shapes: boxes (G, 4), image and level (G,); result per level (N, H_l, W_l), bool.
    """
    areas = [num_images * (H + 1) * (W + 1) for H, W in sizes]
    starts = [0, *accumulate(areas)]
    table = on_device([[t, *s, o] for t, s, o in zip(strides, sizes, starts, strict=False)], boxes.device)
    stride, height, width, start = table[level].unbind(1)
    left, top, right, bottom = (boxes.float() / stride[:, None]).trunc().long().unbind(1)
    left, top = (left - margin).clamp(min=0), (top - margin).clamp(min=0)
    right, bottom = torch.minimum(right + margin, width), torch.minimum(bottom + margin, height)
    cell = (left == right) | (top == bottom)
    left = torch.where(cell, torch.minimum(left, width - 1), left)
    top = torch.where(cell, torch.minimum(top, height - 1), top)
    right, bottom = torch.where(cell, left + 1, right), torch.where(cell, top + 1, bottom)
    value = ((left < right) & (top < bottom)).int()

    first = start + image * (height + 1) * (width + 1)
    corners = [first + row * (width + 1) + column for row in (top, bottom) for column in (left, right)]
    index = torch.stack(corners) * value  # an empty stamp adds 0 to cell 0
    steps = boxes.new_zeros(starts[-1], dtype=torch.int32)
    steps.scatter_add_(0, index.flatten(), torch.stack([value, -value, -value, value]).flatten())
    painted = []
    for (H, W), begin, area in zip(sizes, starts, areas, strict=False):
        grid = steps[begin : begin + area].view(num_images, H + 1, W + 1)[:, :H, :W]
        painted.append(grid.cumsum(1, dtype=torch.int32).cumsum(2, dtype=torch.int32) > 0)
    return tuple(painted)


def flatten(boxes: list[Tensor]) -> tuple[Tensor, Tensor]:
    """All boxes of a batch, (G, 4), and the image that each belongs to, (G,)."""
    image = [one.new_full((len(one),), i, dtype=torch.long) for i, one in enumerate(boxes)]
    return torch.cat(boxes), torch.cat(image)


def on_device(numbers: list[list[int]], device: torch.device) -> Tensor:
    """A small table on the device, from pinned memory, so that the copy does not wait for the device."""
    table = torch.tensor(numbers, dtype=torch.long)
    return table.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else table.to(device)
