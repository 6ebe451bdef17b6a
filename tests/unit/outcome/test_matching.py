"""Which detections hit, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdbench.outcome.looking import Truth
from kdbench.outcome.matching import hits, score

BOXES = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], dtype=np.float32)
TRUTH = Truth(Path("a.png"), BOXES, np.array([0, 1]), np.zeros((0, 4), dtype=np.float32))
EMPTY = Truth(Path("b.png"), BOXES[:0], np.array([], dtype=int), BOXES[:0])


def found(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 6)


def test_each_object_is_hit_once_by_the_surest() -> None:
    boxes = found([0, 0, 10, 9, 0.5, 0], [0, 0, 10, 10, 0.9, 0], [20, 20, 40, 39, 0.4, 1])
    assert hits(boxes, TRUTH) == [False, True, True]
    assert score(boxes, TRUTH) == pytest.approx(2 * 2 / 5)


def test_class_and_overlap_must_fit() -> None:
    boxes = found([0, 0, 10, 10, 0.9, 1], [20, 20, 40, 29, 0.9, 1])  # the wrong class; an IoU of 0.45
    assert hits(boxes, TRUTH) == [False, False]
    assert score(boxes, TRUTH) == 0.0


def test_images_without_objects_or_finds() -> None:
    assert score(found(), EMPTY) == 1.0
    assert score(found([0, 0, 1, 1, 0.9, 0]), EMPTY) == 0.0
    assert score(found(), TRUTH) == 0.0
    assert hits(found(), TRUTH) == []
