"""Mask painting against the rule of the specification, box by box."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdbench.methods.shared import masks

edges = st.floats(0, 250, width=32)


@st.composite
def batches(draw: st.DrawFn) -> list[Tensor]:
    images = draw(st.lists(st.lists(st.tuples(edges, edges, edges, edges), max_size=6), min_size=1, max_size=3))
    return [
        torch.tensor([(*map(min, b[:2], b[2:]), *map(max, b[:2], b[2:])) for b in image]).reshape(-1, 4)
        for image in images
    ]


def by_hand(
    boxes: list[Tensor], stride: int, size: tuple[int, int], margin: int, levels: list[list[int]], level: int
) -> Tensor:
    H, W = size
    mask = torch.zeros(len(boxes), H, W, dtype=torch.bool)
    for image, (own, of_level) in enumerate(zip(boxes, levels, strict=True)):
        for box, where in zip(own.tolist(), of_level, strict=True):
            if where != level:
                continue
            lx, ly, rx, ry = (math.trunc(edge / stride) for edge in box)
            lx, ly = max(0, lx - margin), max(0, ly - margin)
            rx, ry = min(W, rx + margin), min(H, ry + margin)
            if lx == rx or ly == ry:
                mask[image, min(ly, H - 1), min(lx, W - 1)] = True
            else:
                mask[image, ly:ry, lx:rx] = True
    return mask


@settings(max_examples=60, deadline=None)
@given(batches(), st.integers(1, 5), st.integers(0, 2))
def test_gt_masks_equal_the_slow_rule(boxes: list[Tensor], num_levels: int, margin: int) -> None:
    strides = [8 * 2**level for level in range(num_levels)]
    sizes = [(-(-224 // stride), -(-256 // stride)) for stride in strides]
    levels = [masks.box_levels(image, num_levels).tolist() for image in boxes]
    for level, mask in enumerate(masks.gt_masks(boxes, strides, sizes, margin)):
        assert torch.equal(mask, by_hand(boxes, strides[level], sizes[level], margin, levels, level))


@settings(max_examples=30, deadline=None)
@given(batches(), st.sampled_from([(64, 64), (56, 63), (1, 1)]))
def test_backbone_mask_takes_every_box(boxes: list[Tensor], size: tuple[int, int]) -> None:
    levels = [[0] * len(image) for image in boxes]
    assert torch.equal(masks.backbone_mask(boxes, 4, size), by_hand(boxes, 4, size, 0, levels, 0))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 13), st.integers(1, 13), st.integers(1, 20), st.integers(1, 20))
def test_resizing_reads_the_cell_of_the_rule(H: int, W: int, h: int, w: int) -> None:
    mask = torch.rand(2, H, W) > 0.5
    small = masks.resize_nearest(mask, (h, w))
    assert all(torch.equal(small[:, i, j], mask[:, i * H // h, j * W // w]) for i in range(h) for j in range(w))


@pytest.mark.parametrize(
    ("side", "level"), [(1, 0), (110, 0), (111, 1), (222, 1), (223, 2), (446, 2), (447, 3), (895, 4), (5000, 4)]
)
def test_levels_begin_at_112_224_448_896_pixels(side: int, level: int) -> None:
    assert masks.box_levels(torch.tensor([[0.0, 0.0, side, side]]), 5).tolist() == [level]


def test_the_last_level_takes_what_is_larger() -> None:
    assert masks.box_levels(torch.tensor([[0.0, 0.0, 900, 900]]), 2).tolist() == [1]


def test_a_thin_box_sets_one_cell_only() -> None:
    (mask,) = masks.gt_masks([torch.tensor([[9.0, 8, 11, 60]])], [8], [(8, 8)])
    assert mask.nonzero().tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("box", [(-40, -40, -20, -20), (300, 300, 400, 400), (64, 10, 64, 20), (-9, 3, 500, 500)])
def test_a_box_beyond_the_map_is_no_error(box: tuple[float, ...]) -> None:
    (mask,) = masks.gt_masks([torch.tensor([box], dtype=torch.float)], [8], [(8, 8)])
    assert mask.shape == (1, 8, 8)


def test_no_boxes_at_all() -> None:
    assert not any(mask.any() for mask in masks.gt_masks([torch.zeros(0, 4)] * 2, [8, 16], [(4, 4), (2, 2)]))


def test_many_boxes_cover_a_large_map() -> None:
    corner = torch.rand(300, 2) * 1000
    boxes = torch.cat([corner, corner + torch.rand(300, 2) * 300], 1)
    mask = masks.backbone_mask([boxes, boxes[:7]], 4, (200, 336))
    assert torch.equal(mask, by_hand([boxes, boxes[:7]], 4, (200, 336), 0, [[0] * 300, [0] * 7], 0))


def test_cells_inside_an_image() -> None:
    inside = masks.inside_masks([(16, 9), (17, 32)], [8, 16], [(4, 4), (2, 2)], torch.device("cpu"))
    assert [mask.sum((1, 2)).tolist() for mask in inside] == [[4, 12], [1, 4]]
