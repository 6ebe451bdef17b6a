"""Overlaps of boxes."""

from __future__ import annotations

from torch import Tensor

from kdbench.ops.precision import working_dtype


def pairwise_iou(one: Tensor, many: Tensor, offset: int = 0) -> Tensor:
    """Intersection over union; both sides broadcast.

    Shapes:
        one: (..., 4) as x1, y1, x2, y2; many: (..., 4); returns (...).
    """
    return _overlap(one, many, foreground_only=False, offset=offset)


def bbox_overlaps(boxes1: Tensor, boxes2: Tensor, ious: Tensor, *, mode: int, aligned: bool, offset: int) -> None:
    """Overlaps of every box with every other one, or of the aligned pairs, into `ious`.

    Formula:
        iou = I / (A1 + A2 - I) (mode 0), iof = I / A1 (mode 1), with width = x2 - x1 + offset.

    Shapes:
        boxes1: (M, 4); boxes2: (N, 4); ious: (M, N), or (M) if aligned.
    """
    dtype = working_dtype(boxes1, boxes2)
    first = boxes1.to(dtype) if aligned else boxes1.to(dtype)[:, None]
    ious.copy_(_overlap(first, boxes2.to(dtype), foreground_only=mode == 1, offset=offset))


def _overlap(boxes1: Tensor, boxes2: Tensor, foreground_only: bool, offset: int) -> Tensor:
    top_left = boxes1[..., :2].maximum(boxes2[..., :2])
    bottom_right = boxes1[..., 2:].minimum(boxes2[..., 2:])
    intersection = (bottom_right - top_left + offset).clamp(min=0).prod(dim=-1)
    area = (boxes1[..., 2:] - boxes1[..., :2] + offset).prod(dim=-1)
    if foreground_only:
        return intersection / area
    return intersection / (area + (boxes2[..., 2:] - boxes2[..., :2] + offset).prod(dim=-1) - intersection)
