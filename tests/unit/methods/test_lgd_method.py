"""LGD beyond the golden vectors: refusals, schedule, masks, sizes, and what is built for which option."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, GradientRules, OwnOptimizer, Progress
from kdbench.methods.lgd.descriptors import crops_of
from kdbench.methods.lgd.hint import hint_loss
from kdbench.methods.lgd.tokens import tokens_of

ONE = DetectorInfo("one_stage", 3, (8, 8), (8, 16), (4, 8), "RetinaHead")
TWO = replace(ONE, family="two_stage", head="StandardRoIHead")
MASK = replace(TWO, masks=True)
SMALL: dict[str, Any] = {"encoder_widths": (4, 6, 10), "transform_widths": (8, 6), "heads": 2}
SIZE = (64, 96)
BOXES = [torch.tensor([[8.0, 8.0, 40.0, 50.0], [30.0, 0.0, 95.0, 63.0]]), torch.tensor([[10.0, 20.0, 90.0, 60.0]])]


def build(student: DetectorInfo = ONE, **params: Any) -> Any:
    torch.manual_seed(0)
    return registry.build("lgd", {**SMALL, **params}, student, None)


def batch(boxes: list[Tensor] = BOXES, masks: list[Tensor] | None = None) -> Batch:
    none = [torch.zeros(0, 4) for _ in boxes]
    labels = [torch.arange(len(rows)) % 3 for rows in boxes]
    found = Batch(SIZE, [SIZE] * len(boxes), boxes, labels, none, masks=masks)
    found.head_losses = lambda maps: {"loss_cls": torch.stack([level.square().mean() for level in maps]).sum()}
    return found


def neck(images: int = 2) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(1)
    return tuple(torch.randn(images, 8, SIZE[0] // s, SIZE[1] // s, generator=random).requires_grad_() for s in (8, 16))


def at(iteration: int) -> Progress:
    return Progress(0, 1, iteration, 180)


def run(method: Any, levels: tuple[Tensor, ...], iteration: int = 60) -> dict[str, Tensor]:
    return dict(method(Features(neck=levels), Features(), batch(), at(iteration)))


# -- published values ------------------------------------------------------------------------------------------------


def test_published_values() -> None:
    method = registry.get("lgd")
    assert method.default_params(ONE) == {"context": True, "detach_appearance": False, "segmentation": False}
    assert method.default_params(TWO) == {"context": False, "detach_appearance": True, "segmentation": False}
    assert method.default_params(MASK) == {"context": False, "detach_appearance": True, "segmentation": True}
    assert registry.resolve("lgd_fcos_r50")[1] == {"context": False}
    assert registry.resolve("lgd_large")[1]["stop_frac"] == pytest.approx(50 / 180)


def test_the_sizes_are_the_official_ones() -> None:
    info = DetectorInfo("one_stage", 80, (256,) * 5, (8, 16, 32, 64, 128), ())
    method: Any = registry.build("lgd", {}, info, None)
    assert _size(method.branch.encoder) == 4_893_392
    assert _size(method.branch) == 4_893_392 + 3_410_944
    assert _size(method.adapter) == 1_770_240


def _size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("student", "params", "message"),
    [
        (ONE, {"heads": 3}, "3 heads do not divide the FPN's width 8; set heads to one of 1, 2, 4, 8"),
        (ONE, {"segmentation": True}, "set segmentation: false"),
        (ONE, {"class_code": "norm_classes"}, "set context: false or class_code: one_hot"),
        (ONE, {"start_frac": 0.6, "stop_frac": 0.4}, "their sum must be below 1"),
        (ONE, {"instructive_loss_weight": 0.0}, "the branch never learns"),
        (replace(ONE, neck_channels=(8, 16)), {}, "8, 16 channels"),
    ],
)
def test_what_makes_no_sense_is_refused(student: DetectorInfo, params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(student, **params)
    assert not build(student, **params, lambda_hint=0.0, **_off(params)).taps()


def _off(params: dict[str, Any]) -> dict[str, Any]:
    return {} if "instructive_loss_weight" in params else {"instructive_loss_weight": 0.0}


def test_heads_do_not_matter_without_attention() -> None:
    assert build(interaction="teacher_fill", heads=3).taps()


def test_masks_that_the_data_has_not_are_asked_for() -> None:
    with pytest.raises(InputError, match="the data has no masks"):
        build(MASK, segmentation=True).tokens(batch())


# -- what is built, and how it is trained ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({}, {"encoder", "label_vectors", "appearance", "attention", "mapper"}),
        ({"interaction": "student_fill"}, {"appearance", "mapper"}),
        ({"interaction": "teacher_fill"}, {"encoder", "label_vectors", "mapper"}),
    ],
)
def test_only_what_is_used_is_built(params: dict[str, Any], parts: set[str]) -> None:
    method = build(**params)
    assert {name for name, _ in method.branch.named_children()} == parts
    assert not hasattr(build(lambda_hint=0.0), "adapter")
    names = dict(build(context=False).named_parameters())
    assert not [name for name in names if "context_vectors" in name]


def test_the_branch_has_an_optimizer_of_its_own() -> None:
    (own,) = build(branch_optimizer="AdamW", branch_lr=1e-4, branch_weight_decay=0.05, clip_value=0.3).own_optimizers()
    assert own == OwnOptimizer(("branch",), "AdamW", 1e-4, 0.05, "task", None, 0.3)
    (own,) = build().own_optimizers()
    assert own == OwnOptimizer(("branch",), clip_value=1.0)
    off = build(lambda_hint=0.0, instructive_loss_weight=0.0)
    assert off.own_optimizers() == ()
    assert off.gradient_rules(at(0)) == GradientRules()


def test_the_backbone_is_frozen_at_first() -> None:
    method = build()
    frozen = [method.gradient_rules(at(i)).freeze_backbone for i in (0, 19, 20, 179)]
    assert frozen == [True, True, False, False]
    assert build(clip_value=None).gradient_rules(at(30)) == GradientRules()


@pytest.mark.parametrize(("iteration", "on"), [(0, False), (29, False), (30, True), (129, True), (130, False)])
def test_the_hint_reaches_the_student_while_it_is_on(iteration: int, on: bool) -> None:
    method, levels = build(stop_frac=50 / 180), neck()
    run(method, levels, iteration)["loss_hint"].backward()
    assert all((level.grad is not None) == on for level in levels)
    assert all(p.grad is not None for p in method.adapter.parameters())
    assert all(p.grad is None for p in method.branch.parameters())


@pytest.mark.parametrize("detached", [True, False])
def test_the_instructive_losses_reach_the_student_unless_detached(detached: bool) -> None:
    method, levels = build(detach_appearance=detached, instructive_loss_weight=2.0), neck()
    run(method, levels)["loss_instructive_loss_cls"].backward()
    assert all((level.grad is None) == detached for level in levels)
    assert all(p.grad is not None for p in method.branch.parameters())


def test_weights_scale_their_terms() -> None:
    one, other = run(build(), neck()), run(build(lambda_hint=3.0, instructive_loss_weight=0.5), neck())
    torch.testing.assert_close(other["loss_hint"], one["loss_hint"] * 3)
    torch.testing.assert_close(other["loss_instructive_loss_cls"], one["loss_instructive_loss_cls"] * 0.5)
    assert set(run(build(lambda_hint=0.0), neck())) == {"loss_instructive_loss_cls"}


# -- the branch ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("interaction", ["stuGuided", "labelGuided", "student_fill", "teacher_fill"])
def test_images_do_not_see_each_other(interaction: str, context: bool) -> None:
    method, levels = build(interaction=interaction, context=context), neck(3)
    boxes = [*BOXES, torch.zeros(0, 4)]
    together = method.instructive(levels, batch(boxes))
    for image, rows in enumerate(boxes):
        alone = method.instructive([level[image : image + 1] for level in levels], batch([rows]))
        for ours, theirs in zip(alone, together, strict=True):
            torch.testing.assert_close(ours[0], theirs[image], rtol=1e-4, atol=1e-5)


def test_images_without_objects_give_every_parameter_a_gradient() -> None:
    method, levels = build(), neck(1)
    losses = method(Features(neck=levels), Features(), batch([torch.zeros(0, 4)]), at(60))
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())


def test_half_precision_and_autocast_give_float32() -> None:
    method, levels = build(start_frac=0.0), neck()
    exact = run(method, levels)
    rounded = run(method, tuple(level.half() for level in levels))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = run(method, levels)
    for found in (rounded, cast):
        assert all(value.dtype == torch.float32 for value in found.values())
        for name, value in exact.items():
            torch.testing.assert_close(found[name], value, rtol=0.05, atol=0.01)


# -- the hint --------------------------------------------------------------------------------------------------------


def test_the_hint_is_0_for_equal_patterns_and_4_for_opposite_ones() -> None:
    maps = [torch.randn(2, 4, 8, 8), torch.randn(2, 4, 3, 5)]
    assert hint_loss([level * 3 + 1 for level in maps], maps).item() == pytest.approx(0, abs=1e-4)
    assert hint_loss([-level for level in maps], maps).item() == pytest.approx(4, abs=1e-3)


def test_levels_count_by_their_size_and_those_of_one_cell_not_at_all() -> None:
    maps = [torch.randn(1, 4, 6, 6), torch.randn(1, 4, 2, 3), torch.randn(1, 4, 1, 1)]
    ours = [torch.randn_like(level) for level in maps]
    large, small = (hint_loss([a], [b]) for a, b in zip(ours[:2], maps[:2], strict=True))
    torch.testing.assert_close(hint_loss(ours, maps), (large * 36 + small * 6) / 42)
    alone = ours[2].requires_grad_()
    loss = hint_loss([alone], maps[2:])
    loss.backward()
    assert loss == 0
    assert alone.grad is not None


# -- tokens and masks ------------------------------------------------------------------------------------------------


def test_bitmaps_cover_their_nearest_cells_and_the_context_its_image() -> None:
    boxes = [torch.tensor([[0.0, 0.0, 16.0, 16.0]]), torch.zeros(0, 4)]
    sizes = [(32, 48), (64, 96)]
    masks = [torch.zeros(1, 32, 48, dtype=torch.bool), torch.zeros(0, 64, 96, dtype=torch.bool)]
    masks[0][:, :16, :24] = True
    given = replace(batch(boxes), image_sizes=sizes, masks=masks)
    first, second = tokens_of(given, context=True, segmentation=True).masks((8, 12))
    assert first[0].nonzero().max(0).values.tolist() == [1, 2]
    assert first[0].sum() == 6
    assert first[1].sum() == 4 * 6
    assert second.sum() == 8 * 12
    first, second = tokens_of(given, context=False, segmentation=True).masks((8, 12))
    assert len(first) == len(second) == 1
    assert second.sum() == 0


def test_masks_are_cropped_to_seven_bins_by_area() -> None:
    mask = torch.zeros(3, 40, 40, dtype=torch.bool)
    mask[0, 5:19, 5:19] = True
    mask[1, 5:19, 5:13] = True
    boxes = torch.tensor([[5.0, 5.0, 19.0, 19.0], [5.0, 5.0, 19.0, 19.0], [7.0, 7.0, 7.0, 9.0]])
    full, half, without_area = crops_of(mask, boxes)
    assert full.min() == 1
    assert half.sum(0).tolist() == [7, 7, 7, 7, 0, 0, 0]
    assert without_area.max() == 0


def test_classes_can_be_one_number() -> None:
    method = build(class_code="norm_classes", context=False)
    described = method.descriptors(method.tokens(batch()), batch())
    assert described.shape == (3, 5)
    assert described[:, 4].tolist() == pytest.approx([-1, 2 / 3 - 1, -1])
