"""LD where no golden file looks: the valuable region, levels without positives, weights of the rows, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench.detectors.families import FAMILIES
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Assigned, Batch, DetectorInfo, Features, Progress
from kdbench.methods.ld import region as ld_region
from kdbench.methods.ld.method import divergence

INFO = DetectorInfo("one_stage", 2, (4,), (8,), (4,) * 4, head="GFLHead", score_channels=2, bins=3)
START = Progress(0, 1, 0, 1)


def grid(size: int, stride: int, side: float) -> torch.Tensor:
    centres = torch.arange(size) * float(stride)
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2], -1).reshape(-1, 4)


def by_hand(anchors: list[torch.Tensor], boxes: torch.Tensor) -> list[torch.Tensor]:
    """The specification's rule, object by object and anchor by anchor."""
    from torchvision.ops import box_iou

    every = torch.cat(anchors)
    weights = torch.zeros(len(every))
    for box in boxes:
        overlap = box_iou(every, box[None])[:, 0]
        centres = (every[:, :2] + every[:, 2:]) / 2
        distance = (centres - (box[:2] + box[2:]) / 2).square().sum(1)
        chosen, begin = [], 0
        for level in anchors:
            part = slice(begin, begin + len(level))
            order = distance[part].argsort(stable=True)[:9]
            chosen.append(overlap[part][order])
            begin += len(level)
        candidates = torch.cat(chosen)
        threshold = float(candidates.mean() + candidates.std())
        for index, anchor in enumerate(every):
            around = torch.stack([torch.minimum(anchor[:2], box[:2]), torch.maximum(anchor[2:], box[2:])])
            diou = float(overlap[index] - distance[index] / (around[1] - around[0]).square().sum())
            if 0.25 * threshold <= diou < threshold:
                weights[index] = max(weights[index], overlap[index])
    return list(weights.split([len(level) for level in anchors]))


def test_the_region_is_what_the_specification_says() -> None:
    anchors = [grid(12, 8, 64.0), grid(6, 16, 128.0)]
    # Centres between the anchors', so that no two distances are equal.
    boxes = torch.tensor([[11.3, 7.1, 50.9, 61.7], [30.2, 22.9, 89.6, 70.4]])
    got, expected = ld_region.region_weights(anchors, boxes), by_hand(anchors, boxes)
    assert all(weights.any() for weights in expected)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert [weights.sum().item() for weights in ld_region.region_weights(anchors, boxes[:0])] == [0.0, 0.0]


def test_anchors_beyond_a_smaller_image_are_nobodys_candidates() -> None:
    """mmdet gives them as zeros where a batch mixes sizes."""
    anchors, boxes = [grid(12, 8, 64.0), grid(6, 16, 128.0)], torch.tensor([[3.3, 2.1, 20.9, 21.7]])
    filled = [torch.cat([level, torch.zeros(20, 4)]) for level in anchors]
    for one, other in zip(
        ld_region.region_weights(anchors, boxes), ld_region.region_weights(filled, boxes), strict=True
    ):
        torch.testing.assert_close(other[: len(one)], one)
        assert not other[len(one) :].any()


def assigned(labels: list[int]) -> Assigned:
    count = len(labels)
    return Assigned(grid(2, 8, 16.0)[None], torch.tensor([labels]), torch.ones(1, count))


def features(seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    scores, sides = torch.randn(1, 2, 2, 2, generator=generator), torch.randn(1, 12, 2, 2, generator=generator)
    return Features(scores=(scores,), boxes=(sides,))


def test_rows_and_factors() -> None:
    method = registry.build("ld", {"w_ld": 0.5, "w_kd": 3.0}, INFO, INFO)
    ours, theirs = features(0), features(1)
    batch = Batch((16, 16), [(16, 16)], [torch.tensor([[0.0, 0.0, 16.0, 16.0]])], [torch.zeros(1).long()], [])
    batch.assigned = [assigned([2, 1, 2, 2])]  # the cell at row 0, column 1 is positive
    terms = method(ours, theirs, batch, START)
    rows = [maps.boxes[0][0, :, 0, 1].reshape(4, 3) for maps in (ours, theirs)]
    omega = ours.scores[0][0, :, 0, 1].max().sigmoid()
    torch.testing.assert_close(terms["loss_ld"], 0.5 * (divergence(*rows, 10.0) * omega).sum() / 4)
    logits = [maps.scores[0][0, :, 0, 1] for maps in (ours, theirs)]
    torch.testing.assert_close(terms["loss_kd"], 3.0 * divergence(*logits, 2.0))


def test_a_level_without_positives_gives_zero() -> None:
    method = registry.build("ld", {"w_vlr": 1.0, "w_kd": 1.0}, INFO, INFO)
    batch = Batch((16, 16), [(16, 16)], [torch.zeros((0, 4))], [torch.zeros(0).long()], [])
    batch.assigned = [assigned([2, 2, 2, 2])]
    assert {float(value) for value in method(features(0), features(1), batch, START).values()} == {0.0}


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "gfl"])
def test_other_heads_are_refused_with_the_alternatives(family: str) -> None:
    with pytest.raises(InputError, match=r"no distributions over box sides; use a GFL-type head"):
        registry.build("ld", {}, FAMILIES[family], FAMILIES[family])


@pytest.mark.parametrize(("values", "words"), [({"T_ld": 0.5}, "T_ld"), ({"w_kd": -1.0}, "w_kd")])
def test_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        registry.build("ld", values, INFO, INFO)


def test_other_bins_are_refused() -> None:
    other = DetectorInfo("one_stage", 2, (4,), (8,), (4,) * 4, head="GFLHead", score_channels=2, bins=9)
    with pytest.raises(InputError, match="same reg_max"):
        registry.build("ld", {}, INFO, other)
