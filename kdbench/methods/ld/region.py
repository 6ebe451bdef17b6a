"""LD's valuable localisation region: anchors around the positives that still say something about a box."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CANDIDATES = 9
"""Anchors that each object takes of each level, by the distance of the centres (as ATSS does)."""
LOWEST = 0.25
"""Share of an object's threshold from which an anchor belongs to the region."""
TINY = 1e-6


@torch.no_grad()
def region_weights(anchors: Sequence[Tensor], boxes: Tensor) -> list[Tensor]:
    """How much each anchor of one image counts: its overlap with the object it belongs to, 0 outside the region.

    For each object, thr = mean + std of the overlaps (IoU) of its candidates, the 9 anchors of each level with the nearest
    centres. The anchors of any level with 0.25 thr <= DIoU < thr belong to it; an anchor that several objects claim
    takes the largest overlap.

    Shapes: anchors per level (A_l, 4), boxes (G, 4) -> per level (A_l,), float32; zeros without objects.
    Units: pixels of the padded input.
    Reference: Localization Distillation for Dense Object Detection, CVPR 2022, arXiv 2102.12252.
    """
    counts = [len(level) for level in anchors]
    every = torch.cat([level.float() for level in anchors])
    if not len(boxes):
        return list(every.new_zeros(len(every)).split(counts))
    boxes = boxes.float()
    overlap, distance = overlaps(every, boxes), squared_distances(every, boxes)
    inside = overlap - distance / diagonals(every, boxes)
    # mmdet hands over the anchors beyond a smaller image of the batch as zeros: they are nobody's candidates.
    real = (every[:, 2:] > every[:, :2]).all(1)[:, None]
    threshold = _thresholds(overlap, distance.masked_fill(~real, float("inf")), real, counts)
    belongs = (inside >= LOWEST * threshold) & (inside < threshold)
    return list((overlap * belongs).amax(1).split(counts))


def _thresholds(overlap: Tensor, distance: Tensor, real: Tensor, counts: list[int]) -> Tensor:
    """Mean plus standard deviation of the overlaps of each object's candidates.

    Shapes: overlap, distance (A, G), real (A, 1) bool -> (G,).
    """
    taken, counted = [], []
    for near, level, known in zip(distance.split(counts), overlap.split(counts), real.split(counts), strict=True):
        nearest = near.topk(min(CANDIDATES, len(near)), dim=0, largest=False).indices
        taken.append(level.gather(0, nearest))
        counted.append(known.expand_as(level).gather(0, nearest))
    candidates, kept = torch.cat(taken), torch.cat(counted)
    number = kept.sum(0)
    mean = (candidates * kept).sum(0) / number.clamp(min=1)
    spread = ((candidates - mean) * kept).square().sum(0) / (number - 1).clamp(min=1)
    return mean + spread.sqrt()


def overlaps(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Intersection over union. Shapes: (A, 4), (G, 4) -> (A, G)."""
    first = torch.maximum(anchors[:, None, :2], boxes[None, :, :2])
    last = torch.minimum(anchors[:, None, 2:], boxes[None, :, 2:])
    shared = (last - first).clamp(min=0).prod(2)
    areas = [(side[:, 2:] - side[:, :2]).prod(1) for side in (anchors, boxes)]
    return shared / (areas[0][:, None] + areas[1][None] - shared).clamp(min=TINY)


def squared_distances(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Between the centres. Shapes: (A, 4), (G, 4) -> (A, G)."""
    centres = [(side[:, :2] + side[:, 2:]) / 2 for side in (anchors, boxes)]
    return (centres[0][:, None] - centres[1][None]).square().sum(2)


def diagonals(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Squared diagonal of the smallest box around both. Shapes: (A, 4), (G, 4) -> (A, G)."""
    first = torch.minimum(anchors[:, None, :2], boxes[None, :, :2])
    last = torch.maximum(anchors[:, None, 2:], boxes[None, :, 2:])
    return (last - first).square().sum(2).clamp(min=TINY)
