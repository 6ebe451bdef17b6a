"""DeFeat beyond the golden vectors: what it refuses, what it leaves out, and its numbers by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress, RoiLogits
from kdbench.methods.defeat.roi_kl import group_kl
from kdbench.methods.shared.adapters import Adapter

TWO = DetectorInfo("two_stage", 3, (8, 8), (4, 8), (4, 8, 16, 32))
WIDE = replace(TWO, neck_channels=(12, 12), backbone_channels=(6, 12, 24, 48))
ONE = replace(TWO, family="one_stage", neck_strides=(8, 16))
START = Progress(0, 1, 0, 1)
ALL = {"backbone_fg_weight": 1, "backbone_bg_weight": 2, "head_fg_weight": 1, "head_bg_weight": 1}
OFF = dict.fromkeys(registry.get("defeat").weights, 0)


def build(params: dict, student: DetectorInfo = TWO, teacher: DetectorInfo = WIDE) -> Method:
    torch.manual_seed(0)
    return registry.build("defeat", params, student, teacher)


def features(info: DetectorInfo, seed: int, size: tuple[int, int] = (64, 96)) -> Features:
    random = torch.Generator().manual_seed(seed)
    make = lambda C, t: torch.randn(2, C, size[0] // t, size[1] // t, generator=random, requires_grad=True)  # noqa: E731
    neck = tuple(make(C, t) for C, t in zip(info.neck_channels, info.neck_strides, strict=True))
    return Features(neck, {s: make(C, 4 * 2**s) for s, C in enumerate(info.backbone_channels)})


def batch(boxes: bool = True) -> Batch:
    some = [torch.tensor([[4.0, 4, 40, 30], [50, 20, 60, 60]]), torch.zeros(0, 4)]
    none = [torch.zeros(0, 4)] * 2
    logits = RoiLogits(torch.randn(6, 4, requires_grad=True), torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 3, 3]))
    labels = [torch.zeros(2).long(), torch.zeros(0).long()]
    return Batch((64, 96), [(64, 96), (33, 50)], some if boxes else none, labels, none, [logits])


def run(params: dict, data: Batch | None = None, progress: Progress = START) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return build(params)(features(TWO, 0), features(WIDE, 1), data or batch(), progress)


def test_with_all_weights_0_there_is_nothing() -> None:
    method = build(OFF)
    assert not method.taps()
    assert not list(method.modules())[1:]
    assert method(Features(), Features(), batch(), START) == {}


@pytest.mark.parametrize(
    ("params", "neck", "backbone", "roi", "terms"),
    [
        ({}, True, (), None, "neck_fg neck_bg"),
        ({"neck_bg_weight": 0}, True, (), None, "neck_fg"),
        ({"decouple": False}, True, (), None, "neck_fg"),
        ({**OFF, "neck_bg_weight": 3, "decouple": False}, False, (), None, ""),
        ({**OFF, "backbone_bg_weight": 1, "backbone_stages": [3]}, False, (3,), None, "backbone_bg"),
        ({**OFF, "head_bg_weight": 1, "head_proposals": "student"}, False, (), "student", "head_bg"),
        ({**OFF, "head_bg_weight": 1, "head_region": "fore"}, False, (), None, ""),
        ({**OFF, "head_fg_weight": 1, "head_region": "correct"}, False, (), "teacher", "head_correct"),
        (ALL, True, (2, 3), "teacher", "neck_fg neck_bg backbone_fg backbone_bg head_fg head_bg"),
    ],
)
def test_a_term_without_weight_is_neither_tapped_nor_computed(params, neck, backbone, roi, terms) -> None:
    method = build(params)
    taps = method.taps()
    assert (taps.neck, taps.backbone, taps.roi_logits) == (neck, backbone, roi)
    assert [name for name, _ in method.named_children()] == ["neck_adapters"] * neck + ["backbone_adapters"] * bool(
        backbone
    )
    assert " ".join(run(params)) == " ".join(f"loss_{term}" for term in terms.split())


class NoWaiting(TorchDispatchMode):
    """Refuses the operators that wait for a device: reading a number, and counting where a mask is true."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name()
        masks = [i for i in args[1] if i is not None and i.dtype == torch.bool] if name == "aten::index.Tensor" else []
        if masks or name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("region", ["decouple", "fore_correct", "correct", "all"])
def test_a_step_never_waits_for_the_device(region: str) -> None:
    options = {"ignore_mode": "exclude", "exclude_padding": True, "mask_margin": 1, "head_region": region}
    method, ours, theirs, data = build({**ALL, **options}), features(TWO, 0), features(WIDE, 1), batch()
    for waiting in (lambda: torch.ones(1).item(), lambda: torch.ones(2)[torch.tensor([True, False])]):
        with pytest.raises(AssertionError, match="waits"), NoWaiting():
            waiting()
    with NoWaiting():
        terms = method(ours, theirs, data, START)
        torch.stack(list(terms.values())).sum().backward()


def test_every_adapter_is_used_each_step() -> None:
    method = build({**ALL, "warmup_iters": 5})
    terms = method(features(TWO, 0), features(WIDE, 1), batch(boxes=False), START)
    torch.stack(list(terms.values())).sum().backward()
    assert all(value == 0 for value in terms.values())
    assert all(parameter.grad is not None for parameter in method.parameters())


@pytest.mark.parametrize(
    ("params", "student", "teacher", "reason"),
    [
        ({"head_fg_weight": 1}, ONE, ONE, "one-stage"),
        ({"head_fg_weight": 1}, TWO, replace(WIDE, family="one_stage"), "teacher is a one-stage"),
        ({}, TWO, replace(WIDE, neck_strides=(8, 16)), "strides"),
        ({}, TWO, replace(WIDE, neck_strides=(4,), neck_channels=(12,)), "every FPN level has a partner"),
        ({"backbone_fg_weight": 1, "backbone_stages": [2, 4]}, TWO, WIDE, "4 stages; choose from"),
        ({"backbone_fg_weight": 1, "backbone_stages": [2, 2]}, TWO, WIDE, "different stages"),
        ({"backbone_fg_weight": 1, "backbone_stages": []}, TWO, WIDE, "different stages"),
        ({"adapt": False}, TWO, WIDE, "adapt: false needs equal channels, and the FPN levels"),
        ({**OFF, "adapt": False, "backbone_fg_weight": 1}, TWO, WIDE, r"backbone stages \[2, 3\] have"),
        ({"mask": "roi"}, TWO, WIDE, "key 'mask'"),
        ({}, TWO, replace(WIDE, num_classes=4), "3 classes, teacher 4"),
    ],
)
def test_what_is_refused(params, student, teacher, reason) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        build(params, student, teacher)
    assert "\n" not in str(caught.value)


def test_what_is_switched_off_is_not_refused() -> None:
    build({"backbone_stages": [7]})
    build({**OFF, "adapt": False}, TWO, replace(WIDE, neck_strides=(8, 16)))
    assert not list(build({"adapt": False}, TWO, TWO).parameters())


def test_default_weights_depend_on_the_family() -> None:
    method = registry.get("defeat")
    assert list(method.default_params(TWO).values()) == [3, 12]
    assert list(method.default_params(ONE).values()) == [4, 16]


def test_maps_of_another_size_are_refused_not_broadcast() -> None:
    with pytest.raises(InputError, match="differ in shape"):
        build({})(features(TWO, 0, (64, 64)), features(WIDE, 1), batch(), START)


def test_initial_adapter_values() -> None:
    torch.manual_seed(0)
    layer = Adapter(64, 64, init_std=1e-2)
    torch.manual_seed(0)
    torch.nn.Conv2d(64, 64, 3)
    drawn = torch.empty_like(layer.weight).normal_()
    assert (drawn.abs() > 2).any(), "nothing to wrap"
    torch.testing.assert_close(layer.weight, drawn.fmod(2) * 1e-2)
    assert layer.bias.abs().max() <= 1 / math.sqrt(9 * 64)
    assert (Adapter(4, 4, relu=True)(torch.randn(1, 4, 5, 5)) >= 0).all()


# -- numbers ---------------------------------------------------------------------------------------------------------


def test_kl_by_hand() -> None:
    # Two classes and background, T = 2: teacher softmax(log 4, 0, 0) at T=1 is 4/6, 1/6, 1/6; at T=2 2/4, 1/4, 1/4.
    teacher = torch.tensor([[math.log(4), 0, 0], [0.0, 0, 0]])
    logits = RoiLogits(torch.zeros(2, 3), teacher, torch.tensor([0, 2]))
    at_2 = 4 * (0.5 * math.log(0.5 * 3) + 0.5 * math.log(0.25 * 3))
    assert group_kl(logits, "fg", 2, 2.0).item() == pytest.approx(at_2, rel=1e-5)
    assert group_kl(logits, "bg", 2, 2.0).item() == 0
    assert group_kl(logits, "all", 2, 2.0).item() == pytest.approx(at_2 / 2, rel=1e-5)
    assert group_kl(logits, "fg_correct", 2, 2.0).item() == pytest.approx(at_2, rel=1e-5)
    assert group_kl(replace(logits, labels=torch.tensor([1, 1])), "correct", 2).item() == 0


def test_temperatures_of_the_two_groups_are_apart() -> None:
    both = run({**OFF, "head_fg_weight": 1, "head_bg_weight": 1, "head_fg_temperature": 3})
    one = run({**OFF, "head_fg_weight": 1, "head_fg_temperature": 3})
    other = run({**OFF, "head_bg_weight": 1})
    assert both["loss_head_fg"] == one["loss_head_fg"]
    assert both["loss_head_bg"] == other["loss_head_bg"]


def test_two_sources_of_proposals_are_added() -> None:
    torch.manual_seed(3)
    data = batch()
    single = build(ALL)(features(TWO, 0), features(WIDE, 1), data, START)
    data.roi_logits *= 2
    double = build({**ALL, "head_proposals": "both"})(features(TWO, 0), features(WIDE, 1), data, START)
    assert double["loss_head_fg"].item() == pytest.approx(2 * single["loss_head_fg"].item())
    assert double["loss_neck_fg"] == single["loss_neck_fg"]


def test_no_proposals_at_all() -> None:
    data = batch()
    data.roi_logits = [RoiLogits(torch.zeros(0, 4, requires_grad=True), torch.zeros(0, 4), torch.zeros(0).long())]
    assert run({**OFF, "head_fg_weight": 1}, data)["loss_head_fg"] == 0


def test_norm_by_position_is_the_number_of_channels_larger() -> None:
    element, position = run(ALL), run({**ALL, "norm": "position"})
    assert position["loss_neck_bg"].item() == pytest.approx(12 * element["loss_neck_bg"].item(), rel=1e-5)


def test_mask_one_is_half_the_mean_squared_error() -> None:
    same = replace(TWO, neck_channels=(8, 8))
    ours, theirs = features(same, 0), features(same, 1)
    terms = build({"mask": "one", "adapt": False, "neck_fg_weight": 2}, same, same)(ours, theirs, batch(), START)
    expected = sum(torch.nn.functional.mse_loss(s, t) for s, t in zip(ours.neck, theirs.neck, strict=True)) / 2
    assert terms["loss_neck_fg"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert terms["loss_neck_bg"] == 0


def test_decay_multiplies_every_term() -> None:
    full, late = run(ALL), run({**ALL, "decay": "linear"}, progress=Progress(3, 4, 30, 40))
    assert {name: late[name].item() for name in late} == pytest.approx({n: full[n].item() / 4 for n in full}, rel=1e-5)


def test_ignored_boxes_leave_the_background_at_every_level() -> None:
    data = batch()
    data.ignored = [torch.tensor([[0.0, 0, 96, 64]]), torch.zeros(0, 4)]
    ours, theirs = features(TWO, 0), features(WIDE, 1)
    plain = build(ALL)(ours, theirs, data, START)
    excluded = build({**ALL, "ignore_mode": "exclude"})(ours, theirs, data, START)
    # All of image 0 is ignored, so its background no longer matters; its objects still do.
    theirs.neck[0].data[0] += 100 * (1 - build({}).neck_masks(data, [(16, 24), (8, 12)])[0][0].float())
    theirs.neck[1].data[0] += 100 * (1 - build({}).neck_masks(data, [(16, 24), (8, 12)])[1][0].float())
    again = build({**ALL, "ignore_mode": "exclude"})(ours, theirs, data, START)
    assert excluded["loss_neck_bg"] == again["loss_neck_bg"]
    assert excluded["loss_neck_bg"] != plain["loss_neck_bg"]
    assert excluded["loss_neck_fg"] == again["loss_neck_fg"] == plain["loss_neck_fg"]


def test_cells_in_the_padding_can_be_left_out() -> None:
    ours, theirs = features(TWO, 0), features(WIDE, 1)
    before = build({**ALL, "exclude_padding": True})(ours, theirs, batch(), START)
    for level, stride in zip(theirs.neck, TWO.neck_strides, strict=True):
        level.data[1, :, -(-33 // stride) :] += 100
        level.data[1, :, :, -(-50 // stride) :] += 100
    after = build({**ALL, "exclude_padding": True})(ours, theirs, batch(), START)
    assert before["loss_neck_bg"] == after["loss_neck_bg"]
    assert build(ALL)(ours, theirs, batch(), START)["loss_neck_bg"] > 10 * after["loss_neck_bg"]


def test_autocast_stays_close_to_float32() -> None:
    data, ours, theirs = batch(), features(TWO, 0), features(WIDE, 1)
    full = build(ALL)(ours, theirs, data, START)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = build(ALL)(ours, theirs, data, START)
    assert {value.dtype for value in half.values()} == {torch.float32}
    assert {n: v.item() for n, v in half.items()} == pytest.approx({n: v.item() for n, v in full.items()}, rel=1e-2)


def test_float16_features_outside_autocast() -> None:
    ours = Features(tuple(level.detach().half() for level in features(TWO, 0).neck))
    theirs = Features(tuple(level.detach().half() * 1000 for level in features(WIDE, 1).neck))
    terms = build({})(ours, theirs, batch(), START)
    assert all(value.isfinite() and value.dtype == torch.float32 for value in terms.values())
    assert terms["loss_neck_bg"] > 65504  # beyond half precision
