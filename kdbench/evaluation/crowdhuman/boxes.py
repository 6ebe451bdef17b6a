"""Boxes as CrowdHuman's evaluation sees them: clipped in its own way, with overlaps that a small number keeps finite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THRESHOLD = 0.5
"""Of every overlap: only what is strictly above it counts."""
EPS = 1e-6


@dataclass(frozen=True)
class Scene:
    """An annotated image.

    Shapes: people (P, 4), regions to ignore (R, 4), as x1, y1, x2, y2; they may leave the image.
    Units: pixels.
    """

    name: str
    width: int
    height: int
    people: np.ndarray
    regions: np.ndarray


@dataclass(frozen=True)
class View:
    """A scene and its detections, all clipped, float64.

    Shapes: people (P, 4), regions (R, 4), detections (D, 4), scores (D,), in their input order.
    """

    people: np.ndarray
    regions: np.ndarray
    detections: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, scene: Scene, rows: np.ndarray) -> View:
        """Clip a scene and detections (D, 5) of x1, y1, x2, y2, score."""
        people, regions, found = (
            clip(boxes, scene.width, scene.height) for boxes in (scene.people, scene.regions, rows[:, :4])
        )
        return cls(people, regions, found, rows[:, 4])


def clip(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Left and top into 0..side-1, right and bottom into 0..side: what lies beyond keeps one pixel, or no area."""
    limits = np.array([width - 1, height - 1, width, height], dtype=np.float64)
    return np.clip(np.asarray(boxes, dtype=np.float64), 0.0, limits)


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """I / (A + B - I + eps).

    Shapes: (N, 4), (M, 4) -> (N, M).
    """
    shared = _intersection(boxes, others)
    return shared / (_area(boxes)[:, None] + _area(others)[None, :] - shared + EPS)


def covered(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Which boxes have more than half of their own area inside one region (not inside several together).

    Shapes: (N, 4), (R, 4) -> (N,), bool.
    """
    shares = _intersection(boxes, regions) / (_area(boxes)[:, None] + EPS)
    inside: np.ndarray = np.any(shares > THRESHOLD, axis=1)
    return inside


def _intersection(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0.0, None).prod(axis=2)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
