"""CrowdHuman's curve over all detections of a set, and what is read off it: AP and MR^-2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdbench.evaluation.crowdhuman.boxes import THRESHOLD, View, covered, iou

HIT, MISS, DROPPED = 1, 0, -1
"""What a detection is: a true positive, a false one, or absorbed by a region to ignore, so that it counts nowhere."""
GRID = (0.0100, 0.0178, 0.0316, 0.0562, 0.1000, 0.1778, 0.3162, 0.5623, 1.000)
"""False positives per image at which the miss rate is read: rounded, as published."""


@dataclass(frozen=True)
class Curve:
    """The curve, a point after each detection that was not dropped, by descending score.

    Shapes: status (D,) in the order of images and inside them; order (S,), indices of detections; recall, precision,
        fppi (false positives per image) and miss_rate (S,); grid_miss_rate (9,).
    Units: shares 0..1, fppi in false positives an image; MR lower is better.
    """

    people: int
    status: np.ndarray
    order: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    fppi: np.ndarray
    miss_rate: np.ndarray
    grid_miss_rate: np.ndarray
    AP: float
    MR: float


def curve(views: Sequence[View]) -> Curve:
    """Match every image's detections and draw the curve. NaN where there is no person to find."""
    people = sum(len(view.people) for view in views)
    status = np.concatenate([np.zeros(0, dtype=np.int64), *(match(view) for view in views)])
    scores = np.concatenate([np.zeros(0), *(view.scores for view in views)])
    order = np.argsort(-scores, kind="stable")
    order = order[status[order] != DROPPED]
    hits, misses = (np.cumsum(status[order] == kind) for kind in (HIT, MISS))
    recall = hits / people if people else np.full(len(order), math.nan)
    precision = hits / np.maximum(hits + misses, 1)
    fppi = misses / max(len(views), 1)
    at_grid = grid_miss_rates(fppi, 1 - recall) if people else np.full(len(GRID), math.nan)
    return Curve(
        people=people,
        status=status,
        order=order,
        recall=recall,
        precision=precision,
        fppi=fppi,
        miss_rate=1 - recall,
        grid_miss_rate=at_grid,
        AP=average_precision(recall, precision) if people else math.nan,
        MR=log_average(at_grid),
    )


def match(view: View) -> np.ndarray:
    """HIT, MISS or DROPPED of an image's detections.

    By descending score (ties in input order) each takes the person not yet taken that it overlaps most, if by more
    than half; so it may go to its second choice. What finds nobody is dropped if it lies mostly inside a region.

    Shapes: -> (D,), int64.
    """
    overlaps = iou(view.detections, view.people)
    status = np.where(covered(view.detections, view.regions), DROPPED, MISS)
    free = np.ones(len(view.people), dtype=bool)
    for detection in np.argsort(-view.scores, kind="stable"):
        candidates = np.where(free, overlaps[detection], 0.0)
        if candidates.max(initial=0.0) > THRESHOLD:
            free[candidates.argmax()] = False
            status[detection] = HIT
    return status


def average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """The trapezoid over the curve's points: no envelope, and nothing before the first point.

    Example:
        >>> average_precision(np.array([0.5, 1.0]), np.array([1.0, 1.0]))
        0.5
    """
    return float((np.diff(recall) * (precision[1:] + precision[:-1])).sum() / 2)


def grid_miss_rates(fppi: np.ndarray, miss_rate: np.ndarray) -> np.ndarray:
    """The miss rate at the first point that reaches each grid value, else at the last; 1 where there is no point.

    Shapes: (S,), (S,) -> (9,).
    """
    if not len(fppi):
        return np.ones(len(GRID))
    return miss_rate[np.minimum(np.searchsorted(fppi, GRID, side="left"), len(fppi) - 1)]


def log_average(miss_rates: np.ndarray) -> float:
    """exp(mean(log(miss rate))), without a floor: one miss rate of 0 makes it 0."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(miss_rates).mean()))
