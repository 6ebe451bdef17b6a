"""FGFI's masks: cells whose best anchor overlaps an object nearly as well as the map's very best anchor does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kdbench.methods.base import Box
from kdbench.methods.shared.masks import Size, box_levels, flatten

CHUNK = 2**25
"""Overlaps held at a time: 128 MiB in float32."""
RPN_SCALE, RPN_RATIOS = 8, (0.5, 1.0, 2.0)
LEGACY_SCALES, LEGACY_RATIOS = (8, 16, 32), (0.5, 1.0, 2.0)


@torch.no_grad()
def assigned_masks(
    boxes: list[Tensor], anchors: Sequence[Tensor], strides: Sequence[int], sizes: Sequence[Size], phi: float
) -> tuple[Tensor, ...]:
    """Per FPN level, the cells near the boxes that belong to it by their size.

    Shapes: boxes per image (G, 4); anchors per level (a, 4) of the first cell; result per level (N, H_l, W_l) bool.
    Units: pixels of the padded input.
    Reference: Distilling Object Detectors with Fine-grained Feature Imitation, CVPR 2019, arXiv 1906.03609.
    """
    flat, image = flatten(boxes)
    level = box_levels(flat, len(strides))
    return tuple(
        near(flat, image, level == index, base, stride, size, len(boxes), phi)
        for index, (base, stride, size) in enumerate(zip(anchors, strides, sizes, strict=True))
    )


@torch.no_grad()
def single_mask(boxes: list[Tensor], anchors: Tensor, stride: int, size: Size, phi: float) -> Tensor:
    """The cells near any box, on one map, with the original's pixel-inclusive widths.

    Shapes: boxes per image (G, 4); anchors (a, 4) of the first cell; result (N, H, W) bool.
    """
    flat, image = flatten(boxes)
    # The original skips boxes of a single pixel.
    counts = ((flat[:, 2:] - flat[:, :2]) != 0).any(1)
    return near(flat, image, counts, anchors, stride, size, len(boxes), phi, border=1.0)


def near(
    boxes: Tensor,
    image: Tensor,
    counts: Tensor,
    anchors: Tensor,
    stride: int,
    size: Size,
    num_images: int,
    phi: float,
    border: float = 0.0,
) -> Tensor:
    """Cells with an anchor whose overlap with a box is more than phi times the box's largest.

    Overlap is intersection over union; of an anchor grid it is the product of a row's and a column's part, so the table is
    made from (G, a, H) and (G, a, W) alone.

    Shapes: boxes (G, 4); image (G,) the one of each; counts (G,) bool: the others select nothing -> (N, H, W) bool.
    """
    H, W = size
    found = boxes.new_zeros((num_images, H, W), dtype=torch.float32)
    step = max(1, CHUNK // max(1, len(anchors) * H * W))
    for begin in range(0, len(boxes), step):
        part = slice(begin, begin + step)
        kept = _kept(boxes[part].float(), anchors, stride, size, phi, border) & counts[part, None, None]
        found.index_add_(0, image[part], kept.float())
    return found > 0


def _kept(boxes: Tensor, anchors: Tensor, stride: int, size: Size, phi: float, border: float) -> Tensor:
    """Shapes: boxes (G, 4), anchors (a, 4) -> (G, H, W) bool."""
    rows, columns = (torch.arange(length, device=boxes.device) * stride for length in size)
    wide = _shared(anchors[:, 0::2], columns, boxes[:, 0::2], border)
    high = _shared(anchors[:, 1::2], rows, boxes[:, 1::2], border)
    inter = high[..., :, None] * wide[..., None, :]
    union = _areas(anchors, border)[None, :, None, None] + _areas(boxes, border)[:, None, None, None] - inter
    overlap = inter.div_(union.clamp_(min=1e-6))  # in place: no more than two tables at a time
    best = overlap.flatten(1).amax(1)
    return (overlap > (phi * best)[:, None, None, None]).any(1)


def _shared(anchors: Tensor, shifts: Tensor, boxes: Tensor, border: float) -> Tensor:
    """The length that the anchors, shifted, share with the boxes along one axis.

    Shapes: anchors (a, 2) begin and end, shifts (L,), boxes (G, 2) -> (G, a, L).
    """
    begin = torch.maximum((anchors[:, :1] + shifts)[None], boxes[:, :1, None])
    end = torch.minimum((anchors[:, 1:] + shifts)[None], boxes[:, 1:, None])
    return (end - begin + border).clamp(min=0)


def _areas(boxes: Tensor, border: float) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2] + border
    return sides[:, 0] * sides[:, 1]


def rpn_anchors(strides: Sequence[int]) -> tuple[tuple[Box, ...], ...]:
    """Anchors of an RPN (one scale, three ratios), for detectors that have none of their own.

    Example:
        >>> rpn_anchors([4])[0][1]
        (-16.0, -16.0, 16.0, 16.0)
    """

    def centred(width: float, height: float) -> Box:
        return (-width / 2, -height / 2, width / 2, height / 2)

    sides = [(1 / math.sqrt(ratio), math.sqrt(ratio)) for ratio in RPN_RATIOS]
    return tuple(tuple(centred(s * RPN_SCALE * w, s * RPN_SCALE * h) for w, h in sides) for s in strides)


def legacy_anchors(
    base: int = 16, scales: Sequence[float] = LEGACY_SCALES, ratios: Sequence[float] = LEGACY_RATIOS
) -> tuple[Box, ...]:
    """Anchors of the first cell as detectors before FPN had them: sides in whole pixels, last pixel included.

    Example:
        >>> legacy_anchors()[0]
        (-84.0, -40.0, 99.0, 55.0)
    """
    centre, found = (base - 1) / 2, []
    for ratio in ratios:
        width = round(math.sqrt(base * base / ratio))
        height = round(width * ratio)
        for scale in scales:
            x, y = (width * scale - 1) / 2, (height * scale - 1) / 2
            found.append((centre - x, centre - y, centre + x, centre + y))
    return tuple(found)
