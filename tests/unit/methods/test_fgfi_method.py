"""FGFI where no golden file looks: phi's ends, levels, anchors made up, the original's switches, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Progress
from kdbench.methods.fgfi import masks as fgfi_masks
from kdbench.methods.fgfi.method import difference

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


class NoWaiting(TorchDispatchMode):
    """Refuses the operators that read a number or a count from the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name()
        by_mask = name == "aten::index.Tensor" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if by_mask or name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


def data(*boxes: list[float]) -> Batch:
    """Two images, the second without objects."""
    given = [torch.tensor(boxes).reshape(-1, 4), torch.zeros(0, 4)]
    return Batch((32, 32), [(32, 32)] * 2, given, [torch.zeros(len(b)).long() for b in given], [torch.zeros(0, 4)] * 2)


def maps(channels: int, change: Callable[[Tensor], Tensor] = lambda level: level) -> Features:
    random = torch.Generator().manual_seed(channels)
    neck = tuple(change(torch.randn(2, channels, side, side, generator=random)).requires_grad_() for side in (4, 2))
    return Features(neck, {0: torch.randn(2, channels, 8, 8, generator=random, requires_grad=True)})


@pytest.mark.parametrize("values", [{}, {"flavour": "original", "stage": 0, "difference": "l1"}, {"difference": "div"}])
@pytest.mark.parametrize("boxes", [[], [[2.0, 2.0, 20.0, 24.0]]], ids=["no objects", "one object"])
def test_a_step_never_waits_and_uses_every_layer(values: dict[str, Any], boxes: list[list[float]]) -> None:
    method = registry.build("fgfi", {**values, "warmup_iters": 5}, ONE, replace(WIDE, backbone_channels=(6,) * 4))
    for iteration in (0, 5):
        method.zero_grad()
        with NoWaiting():
            (term,) = method(maps(4), maps(6), data(*boxes), Progress(0, 1, iteration, 10)).values()
            term.backward()
        assert all(parameter.grad is not None for parameter in method.parameters())
        assert bool(term > 0) == (bool(boxes) and iteration == 5)


def test_maps_in_half_precision() -> None:
    method = registry.build("fgfi", {}, ONE, WIDE)
    batch, start = data([2.0, 2.0, 20.0, 24.0]), Progress(0, 1, 0, 1)
    exact = method(maps(4), maps(6), batch, start)["loss_imitation"]
    low = method(maps(4, Tensor.half), maps(6, Tensor.half), batch, start)["loss_imitation"]
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(exact.item(), rel=0.01)


def test_with_weight_0_there_is_nothing() -> None:
    method = registry.build("fgfi", {"weight": 0, "stage": 9, "adapt": False}, ONE, WIDE)
    assert not method.taps()
    assert not list(method.modules())[1:]
    assert not list(method.buffers())
    assert method(Features(), Features(), data(), Progress(0, 1, 0, 1)) == {}


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
        ({"phi": 1.5}, "key 'phi'"),
    ],
)
def test_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        registry.build("fgfi", values, ONE, WIDE)


@pytest.mark.parametrize(
    ("student", "teacher", "words"),
    [
        (ONE, replace(WIDE, neck_strides=(4, 8)), "strides .*; choose a teacher with the same levels, or weight: 0"),
        (replace(ONE, neck_channels=(), neck_strides=()), WIDE, "the student has no FPN levels"),
        (*[replace(ONE, neck_channels=(), neck_strides=())] * 2, "the student has no FPN levels"),
        (replace(ONE, base_anchors=(((0.0, 0.0, 1.0, 1.0),),)), WIDE, "anchors on 1 levels and the FPN has 2"),
        (ONE, replace(WIDE, num_classes=4), "3 classes, teacher 4"),
    ],
)
def test_detectors_that_do_not_suit(student: DetectorInfo, teacher: DetectorInfo, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        registry.build("fgfi", {}, student, teacher)
    assert "\n" not in str(caught.value)
