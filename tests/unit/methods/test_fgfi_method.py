"""FGFI where no golden file looks: phi's ends, levels, anchors made up, the original's switches, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench.errors import InputError
from kdbench.methods import fgfi_masks, registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Progress
from kdbench.methods.fgfi import difference

ONE = DetectorInfo("one_stage", 3, (4, 4), (8, 16), (4, 8, 16, 32))
WIDE = DetectorInfo("one_stage", 3, (6, 6), (8, 16), (8, 16, 32, 64))
ANCHORS = [torch.tensor([[-8.0, -8.0, 8.0, 8.0]])]


def mask(phi: float, *boxes: list[float]) -> torch.Tensor:
    given = [torch.tensor(boxes).reshape(-1, 4)]
    return fgfi_masks.assigned_masks(given, ANCHORS, [8], [(4, 4)], phi)[0][0]


def test_phi_at_its_ends() -> None:
    box = [8.0, 8.0, 24.0, 24.0]
    assert mask(1.0, box).sum() == 0
    # Anchors are centred on the cells' corners; those that reach into the box are the middle three by three.
    assert mask(0.0, box).int().tolist() == [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]]
    assert mask(0.9, box).int().tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_every_box_keeps_its_own_threshold() -> None:
    both = mask(0.5, [8.0, 8.0, 24.0, 24.0], [0.0, 24.0, 3.0, 27.0])
    assert torch.equal(both, mask(0.5, [8.0, 8.0, 24.0, 24.0]) | mask(0.5, [0.0, 24.0, 3.0, 27.0]))
    assert mask(0.5, [0.0, 24.0, 3.0, 27.0]).any(), "a small box has a low best overlap and still selects"


def test_a_box_beyond_all_anchors_selects_nothing() -> None:
    assert mask(0.5, [500.0, 500.0, 520.0, 520.0]).sum() == 0


def test_many_boxes_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(40, 2, generator=generator) * 20
    boxes = torch.cat([corners, corners + 1 + torch.rand(40, 2, generator=generator) * 12], 1)
    image = torch.arange(40) % 3
    counts = torch.ones(40, dtype=torch.bool)
    whole = fgfi_masks.near(boxes, image, counts, ANCHORS[0], 8, (4, 4), 3, 0.5)
    monkeypatch.setattr(fgfi_masks, "CHUNK", 64)
    assert torch.equal(fgfi_masks.near(boxes, image, counts, ANCHORS[0], 8, (4, 4), 3, 0.5), whole)


def test_a_head_without_anchors_gets_an_rpns() -> None:
    from mmdet.core.anchor import AnchorGenerator

    theirs = AnchorGenerator(strides=[8, 16], ratios=[0.5, 1.0, 2.0], scales=[8]).base_anchors
    torch.testing.assert_close(torch.tensor(fgfi_masks.rpn_anchors([8, 16])), torch.stack(theirs))


@pytest.mark.parametrize(
    ("kind", "expected"), [("squared", 0.25 + 9.0), ("l1", 0.5 + 9.0), ("div", (1 - 1.5) ** 2 + (1 - 4.0) ** 2)]
)
def test_differences(kind: Any, expected: float) -> None:
    student, teacher = torch.tensor([1.5, 4.0]).reshape(1, 2, 1, 1), torch.ones(1, 2, 1, 1)
    assert difference(student, teacher, kind).item() == pytest.approx(expected)


def test_warm_up_and_preset() -> None:
    method, values = registry.resolve("fgfi_original")
    assert method.name == "fgfi"
    built = registry.build("fgfi", {**values, "stage": 0}, ONE, WIDE)
    assert built.taps().backbone == (0,)
    batch = Batch((16, 16), [(16, 16)], [torch.tensor([[0.0, 0.0, 9.0, 9.0]])], [torch.zeros(1).long()], [])
    ours, theirs = Features(backbone={0: torch.rand(1, 4, 4, 4)}), Features(backbone={0: torch.rand(1, 8, 4, 4)})
    early, late = (built(ours, theirs, batch, Progress(0, 1, i, 1000))["loss_imitation"] for i in (5, 6))
    assert float(early) == 0
    assert float(late) > 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"adapt": False}, "adapt: false needs equal channels"),
        ({"flavour": "original", "stage": 4}, "backbone has 4 stages"),
    ],
)
def test_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        registry.build("fgfi", values, ONE, WIDE)
