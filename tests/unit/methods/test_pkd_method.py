"""PKD beyond the golden vectors: what its number means, and the maps on which a naive formula breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress
from kdbench.methods.pkd import pattern_loss, standardised

ONE = DetectorInfo("one_stage", 3, (4,), (8,), (4, 8, 16, 32))
TWO = replace(ONE, family="two_stage", neck_strides=(4,))
START = Progress(0, 1, 0, 1)


def build(student: DetectorInfo = ONE, teacher: DetectorInfo = ONE, **params: object) -> Method:
    torch.manual_seed(0)
    return registry.build("pkd", params, student, teacher)


def run(method: Method, student: Tensor, teacher: Tensor, progress: Progress = START) -> Tensor:
    batch = Batch((64, 96), [(64, 96)] * len(student), [], [], [])
    (term,) = method(Features(neck=(student,)), Features(neck=(teacher,)), batch, progress).values()
    return term


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_published_weights() -> None:
    method = registry.get("pkd")
    assert method.default_params(ONE) == {"weight": 10.0}
    assert method.default_params(TWO) == {"weight": 6.0}
    assert registry.resolve("pkd_two_stage_teacher")[1] == {"weight": 6.0}


def test_it_is_one_minus_the_correlation() -> None:
    ours, theirs = noise(2, 4, 6, 5), noise(2, 4, 6, 5, seed=1)
    rows = [m.transpose(0, 1).flatten(1) for m in (ours, theirs)]
    correlation = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(*rows, strict=True)]).mean()
    expected = (1 - correlation) * (2 * 30 - 1) / (2 * 30)
    assert pattern_loss(ours, theirs).item() == pytest.approx(expected.item(), rel=1e-4)


def test_scale_and_shift_of_a_channel_do_not_matter() -> None:
    ours, theirs = noise(2, 4, 6, 5), noise(2, 4, 6, 5, seed=1)
    scale, shift = torch.tensor([3.0, 0.2, 50, 1]).reshape(4, 1, 1), torch.tensor([0.0, 7, -9, 100]).reshape(4, 1, 1)
    assert pattern_loss(ours * scale + shift, ours) < 1e-6
    assert pattern_loss(-ours * scale + shift, ours).item() == pytest.approx(2 * 59 / 60, rel=1e-4)
    assert pattern_loss(ours * scale + shift, theirs).item() == pytest.approx(
        pattern_loss(ours, theirs).item(), rel=1e-4
    )


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1234.567])
def test_a_constant_channel_has_no_gradient_and_spoils_no_other(value: float) -> None:
    ours, theirs = noise(2, 4, 50, 60), noise(2, 4, 50, 60, seed=1)
    ours[:, 1] = value
    ours.requires_grad_()
    loss = pattern_loss(ours, theirs)
    loss.backward()
    assert ours.grad is not None
    assert ours.grad.isfinite().all()
    assert (ours.grad[:, 1] == 0).all()
    assert (ours.grad[:, [0, 2, 3]] != 0).any()
    assert standardised(ours)[:, 1].abs().max() == 0
    zeros = ours.detach().clone()
    zeros[:, 1] = 0
    assert loss.item() == pytest.approx(pattern_loss(zeros, theirs).item(), rel=1e-6)


def test_small_deviations_are_no_constants() -> None:
    ours = noise(2, 4, 6, 5)
    small = standardised(ours * 1e-3 + 1)
    torch.testing.assert_close(small, standardised(ours) * 1e-3 / (1e-3 + 1e-6), rtol=1e-2, atol=1e-3)


def test_one_image_with_one_cell_gives_a_connected_zero() -> None:
    method = build(ONE, replace(ONE, neck_channels=(7,)))
    ours = noise(1, 4, 1, 1).requires_grad_()
    term = run(method, ours, noise(1, 7, 1, 1))
    assert term == 0
    term.backward()
    assert all(p.grad is not None and p.grad.abs().max() == 0 for p in method.parameters())
    assert run(method, noise(2, 4, 1, 1), noise(2, 7, 1, 1)).isfinite()


@pytest.mark.parametrize("size", [(12, 18), (6, 18), (12, 9), (3, 5)])
def test_maps_of_another_size_are_resized(size: tuple[int, int]) -> None:
    ours, theirs = noise(2, 4, 6, 9), noise(2, 4, *size, seed=1)
    larger = F.interpolate(ours, size, mode="bilinear", align_corners=False)
    assert run(build(weight=1), ours, theirs) == pattern_loss(larger, theirs)
    smaller = F.interpolate(theirs, (6, 9), mode="bilinear", align_corners=False)
    assert run(build(weight=1, resize_stu=False), ours, theirs) == pattern_loss(ours, smaller)


def test_detectors_of_other_strides_are_paired_in_order() -> None:
    method = build(ONE, TWO, weight=6)
    assert method.levels == (0,)
    assert 0 < run(method, noise(2, 4, 8, 12), noise(2, 4, 16, 24)) < 12


def test_decay_multiplies_the_terms() -> None:
    ours, theirs = noise(2, 4, 6, 5), noise(2, 4, 6, 5, seed=1)
    full = run(build(weight=2), ours, theirs)
    late = Progress(3, 4, 35, 40)
    assert run(build(weight=2, decay="linear"), ours, theirs, late).item() == pytest.approx(full.item() / 4)
    by_iteration = run(build(weight=2, decay="linear", decay_unit="iter"), ours, theirs, late)
    assert by_iteration.item() == pytest.approx(full.item() / 8)
