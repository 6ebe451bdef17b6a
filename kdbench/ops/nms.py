"""Non-maximum suppression: hard (torchvision's), soft, and the one that remembers which box suppressed which."""

from __future__ import annotations

import torch
from torch import Tensor

from kdbench.ops.boxes import pairwise_iou
from kdbench.ops.precision import without_autocast, working_dtype

NAIVE, LINEAR, GAUSSIAN = range(3)
"""How `softnms` lowers the score of a box that overlaps a better one."""


def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that no better kept box overlaps by more than the threshold, best first.

    Shapes:
        boxes: (N, 4) as x1, y1, x2, y2, of width x2 - x1 + offset; scores: (N); returns (K), int64.
    """
    dtype = working_dtype(boxes, scores)
    boxes, scores = boxes.detach().to(dtype), scores.detach().to(dtype)
    if offset:
        # A box that ends `offset` further has the same width, area and intersections as mmcv's.
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    with without_autocast(boxes):
        return torch.ops.torchvision.nms(boxes, scores, iou_threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    *,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Takes the best box, lowers the scores of those it overlaps, drops what falls below `min_score`, and repeats.

    Formula:
        naive:    s := 0 where iou >= iou_threshold
        linear:   s := s (1 - iou) where iou >= iou_threshold
        gaussian: s := s exp(-iou^2 / sigma)

    Shapes:
        boxes: (N, 4); scores: (N); dets: (N, 5), its first K rows become x1, y1, x2, y2, new score;
        returns the indices of those boxes (K), int64, in the order taken.

    Reference:
        Bodla et al., Soft-NMS: Improving Object Detection With One Line of Code, ICCV 2017, arXiv 1704.04503.
    """
    dtype = working_dtype(boxes, scores)
    # Small steps on small tensors: one contiguous copy, shortened as boxes are taken and dropped.
    left = torch.arange(len(boxes))
    places, values = boxes.detach().to(dtype), scores.detach().to(dtype)
    taken: list[int] = []
    taken_scores: list[float] = []
    while len(left):
        best = int(values.argmax())
        taken.append(int(left[best]))
        taken_scores.append(float(values[best]))
        overlap = pairwise_iou(places[best], places, offset)
        if method == GAUSSIAN:
            values = values * torch.exp(-(overlap**2) / sigma)
        else:
            factor = 1 - overlap if method == LINEAR else torch.zeros_like(overlap)
            values = torch.where(overlap >= iou_threshold, values * factor, values)
        # Only what fell below is dropped: a score that is not a number stays, as in the compiled operator.
        keep = ~(values < min_score)
        keep[best] = False
        left, places, values = left[keep], places[keep], values[keep]
    indices = torch.tensor(taken, dtype=torch.int64)
    dets[: len(taken), :4] = boxes[indices].to(dets.dtype)
    dets[: len(taken), 4] = torch.tensor(taken_scores, dtype=dtype).to(dets.dtype)
    return indices


def nms_match(dets: Tensor, *, iou_threshold: float) -> list[list[int]]:
    """Groups of boxes: each kept box, then those it suppressed (iou >= the threshold), by falling score.

    Shapes:
        dets: (N, 5) as x1, y1, x2, y2, score.
    """
    dets = dets.detach().to(working_dtype(dets))
    left = dets[:, 4].argsort(descending=True, stable=True)
    groups: list[list[int]] = []
    while len(left):
        suppressed = pairwise_iou(dets[left[0], :4], dets[left, :4]) >= iou_threshold
        suppressed[0] = True  # a box without area has no overlap with itself either
        groups.append(left[suppressed].tolist())
        left = left[~suppressed]
    return groups
