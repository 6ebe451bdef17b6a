"""CrowdHuman's Jaccard index: how well the kept detections and the people pair up, at the best score threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from kdbench.evaluation.crowdhuman.boxes import EPS, THRESHOLD, View, covered, iou

THRESHOLDS = 0.1 * np.arange(10)
"""Detections are kept whose score is strictly above it."""


@dataclass(frozen=True)
class Index:
    """The index at each of ten score thresholds, and the best with the lowest threshold that reaches it.

    Shapes: per_threshold (10,), NaN where no image counts; counts (10, 3), sums over images of matched pairs, people
        and detections; images (10,), how many count.
    """

    per_threshold: np.ndarray
    counts: np.ndarray
    images: np.ndarray
    JI: float
    threshold: float


def index(views: Sequence[View]) -> Index:
    """The index of a set: a mean over images, not a ratio of sums. NaN if no image counts at any threshold."""
    counts = np.array([_counts(view) for view in views], dtype=np.int64).reshape(-1, len(THRESHOLDS), 3)
    pairs, people, detections = np.moveaxis(counts, 2, 0)
    each = pairs / (people + detections - pairs + EPS)
    images = ((people > 0) | (detections > 0)).sum(axis=0)
    per_threshold = np.where(images > 0, each.sum(axis=0) / np.maximum(images, 1), math.nan)
    best = int(np.nanargmax(per_threshold)) if images.any() else None
    return Index(
        per_threshold,
        counts.sum(axis=0),
        images,
        math.nan if best is None else float(per_threshold[best]),
        math.nan if best is None else float(THRESHOLDS[best]),
    )


def _counts(view: View) -> list[tuple[int, int, int]]:
    """Matched pairs, people and detections of an image at each threshold.

    People and detections that are not matched and lie mostly inside a region to ignore do not count.
    """
    overlaps = iou(view.detections, view.people)
    overlaps[overlaps <= THRESHOLD] = 0.0
    lost, hidden = covered(view.detections, view.regions), covered(view.people, view.regions)
    found = []
    for threshold in THRESHOLDS:
        kept = view.scores > threshold
        rows, columns = pair(overlaps[kept])
        idle, alone = lost[kept], hidden.copy()
        idle[rows], alone[columns] = False, False
        found.append((len(rows), len(hidden) - int(alone.sum()), len(idle) - int(idle.sum())))
    return found


def pair(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the matching with the largest sum of weights; a weight of 0 is no edge.

    Example:
        >>> [found.tolist() for found in pair(np.array([[0.9, 0.6], [0.6, 0.0]]))]
        [[0, 1], [1, 0]]
    """
    rows, columns = linear_sum_assignment(weights, maximize=True)
    real = weights[rows, columns] > 0
    return rows[real], columns[real]
