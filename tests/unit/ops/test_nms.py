"""nms, soft-nms and nms_match through mmcv.ops, against loops over pairs of boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, bbox_overlaps, nms, nms_match, soft_nms
from torch import Tensor


def some_boxes(generator: torch.Generator, count: int = 60) -> tuple[Tensor, Tensor]:
    corner = torch.rand(count, 2, generator=generator) * 40
    size = torch.rand(count, 2, generator=generator) * 30 + 5
    return torch.cat([corner, corner + size], dim=1), torch.rand(count, generator=generator)


def iou(a: list[float], b: list[float], offset: int = 0) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def slow_nms(boxes: Tensor, scores: Tensor, threshold: float, offset: int) -> list[int]:
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if all(iou(boxes[i].tolist(), boxes[j].tolist(), offset) <= threshold for j in kept):
            kept.append(i)
    return kept


def slow_soft_nms(
    boxes: Tensor, scores: Tensor, threshold: float, sigma: float, least: float, method: str, offset: int
) -> tuple[list[int], list[float]]:
    left = dict(enumerate(scores.tolist()))
    order, final = [], []
    while left:
        best = max(left, key=lambda i: left[i])
        order.append(best)
        final.append(left.pop(best))
        for i in list(left):
            overlap = iou(boxes[best].tolist(), boxes[i].tolist(), offset)
            if method == "gaussian":
                left[i] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                left[i] *= 0 if method == "naive" else 1 - overlap
            if left[i] < least:
                del left[i]
    return order, final


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_nms(device: torch.device, generator: torch.Generator, threshold: float, offset: int) -> None:
    boxes, scores = some_boxes(generator)
    dets, kept = nms(boxes.to(device), scores.to(device), threshold, offset=offset)
    expected = slow_nms(boxes, scores, threshold, offset)
    assert 1 < len(expected) < 60
    assert kept.tolist() == expected
    assert kept.dtype == torch.int64
    torch.testing.assert_close(dets.cpu(), torch.cat([boxes, scores[:, None]], dim=1)[expected], rtol=0, atol=0)


def test_offset_matters() -> None:
    boxes, scores = np.array([[0, 0, 4, 4], [0, 0, 4, 1.9]], dtype=np.float32), np.array([0.9, 0.8], dtype=np.float32)
    assert len(nms(boxes, scores, 0.5, offset=0)[1]) == 2  # 0.475
    assert len(nms(boxes, scores, 0.5, offset=1)[1]) == 1  # 0.58


def test_nms_half_empty_and_limits(device: torch.device, generator: torch.Generator) -> None:
    boxes, scores = (tensor.half().float().to(device) for tensor in some_boxes(generator))
    half = nms(boxes.half(), scores.half(), 0.4)[1].tolist()
    # Equal half-precision scores may stand in either order.
    assert set(half) <= set(range(60))
    assert scores[half].diff().le(0).all()
    assert len(half) == len(nms(boxes, scores, 0.4)[1])
    assert nms(boxes[:0], scores[:0], 0.4)[0].shape == (0, 5)
    dets, _ = nms(boxes, scores, 0.4, score_threshold=0.5, max_num=2)
    assert len(dets) == 2
    assert (dets[:, 4] > 0.5).all()


@pytest.mark.parametrize("kind", ["nms", "soft_nms"])
def test_batched_nms_leaves_other_classes_alone(generator: torch.Generator, kind: str) -> None:
    boxes, scores = some_boxes(generator, 20)
    classes = torch.arange(20) % 2
    _, kept = batched_nms(boxes, scores, classes, {"type": kind, "iou_threshold": 0.3})
    _, agnostic = batched_nms(boxes, scores, classes, {"type": kind, "iou_threshold": 0.3}, class_agnostic=True)
    if kind == "nms":
        expected = [2 * i + c for c in range(2) for i in slow_nms(boxes[c::2], scores[c::2], 0.3, 0)]
        assert sorted(kept.tolist()) == sorted(expected)
        assert len(agnostic) < len(kept)
    else:
        assert len(kept)
        assert len(agnostic)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms(device: torch.device, generator: torch.Generator, method: str, offset: int) -> None:
    boxes, scores = some_boxes(generator, 40)
    dets, kept = soft_nms(boxes.to(device), scores.to(device), 0.3, 0.5, 0.05, method, offset)
    expected, values = slow_soft_nms(boxes, scores, 0.3, 0.5, 0.05, method, offset)
    assert 1 < len(expected) < 40
    assert kept.tolist() == expected
    assert kept.device.type == device.type
    torch.testing.assert_close(dets[:, :4].cpu(), boxes[expected], rtol=0, atol=0)
    torch.testing.assert_close(dets[:, 4].cpu(), torch.tensor(values), rtol=1e-5, atol=1e-6)


def test_soft_nms_on_arrays_and_nothing() -> None:
    # Boxes without area overlap nothing, or, with themselves, as 0 / 0: their scores stay; mmcv's own example.
    boxes = np.array([[4, 3, 5, 3], [4, 3, 5, 4]] + [[3, 1, 3, 1]] * 4, dtype=np.float32)
    scores = np.array([0.9, 0.9, 0.5, 0.5, 0.4, 0.0], dtype=np.float32)
    dets, kept = soft_nms(boxes, scores, 0.6, sigma=0.5)
    assert isinstance(dets, np.ndarray)
    assert len(dets) == len(kept) == 5
    assert soft_nms(boxes[:0], scores[:0])[0].shape == (0, 5)


def test_nms_match(generator: torch.Generator) -> None:
    boxes, scores = some_boxes(generator)
    groups = nms_match(torch.cat([boxes, scores[:, None]], dim=1), 0.4)
    assert [int(group[0]) for group in groups] == slow_nms(boxes, scores, 0.4, 0)
    assert sorted(torch.cat(groups).tolist()) == list(range(60))
    for group in groups:
        assert scores[group].diff().le(0).all()
        assert all(iou(boxes[group[0]].tolist(), boxes[i].tolist()) >= 0.4 for i in group[1:])


@pytest.mark.parametrize("mode", ["iou", "iof"])
@pytest.mark.parametrize("offset", [0, 1])
def test_bbox_overlaps(device: torch.device, generator: torch.Generator, mode: str, offset: int) -> None:
    boxes = some_boxes(generator, 6)[0]
    one, two = boxes[:2], boxes[2:]

    def expected(a: Tensor, b: Tensor) -> float:
        value = iou(a.tolist(), b.tolist(), offset)
        if mode == "iou":
            return value
        area_a, area_b = ((box[2:] - box[:2] + offset).prod().item() for box in (a, b))
        return value * (area_a + area_b) / (1 + value) / area_a  # I = iou (A1 + A2) / (1 + iou)

    matrix = bbox_overlaps(one.to(device), two.to(device), mode, offset=offset)
    torch.testing.assert_close(matrix.cpu(), torch.tensor([[expected(a, b) for b in two] for a in one]))
    pairs = bbox_overlaps(one.to(device), two[:2].to(device), mode, aligned=True, offset=offset)
    torch.testing.assert_close(pairs, matrix[:, :2].diagonal())
