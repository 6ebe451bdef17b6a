"""FitNet where no golden file looks: directions, resized maps, kernels, warm-up, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Progress
from kdbench.methods.fitnet import imitation

ONE = DetectorInfo("one_stage", 3, (4, 4), (8, 16), (4, 8, 16, 32))
WIDE = DetectorInfo("one_stage", 3, (6, 6), (8, 16), (8, 16, 32, 64))
COARSE = DetectorInfo("one_stage", 3, (6, 6), (16, 32), (8, 16, 32, 64))
NONE = Batch((16, 16), [(16, 16)], [], [], [])


def test_directions_do_not_see_magnitude() -> None:
    maps = torch.rand(2, 3, 4, 5)
    assert imitation(maps, maps * 7, normalize=True).abs() < 1e-6
    assert imitation(maps, -maps, normalize=True).item() == pytest.approx(4.0, rel=1e-5)
    assert imitation(torch.zeros(1, 3, 4, 5), maps[:1], normalize=True).item() == pytest.approx(1.0, rel=1e-5)


def test_maps_of_other_strides_are_resized_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="are resized"):
        method = registry.build("fitnet", {}, ONE, COARSE)
    ours = Features(neck=(torch.rand(1, 4, 8, 8), torch.rand(1, 4, 4, 4)))
    theirs = Features(neck=(torch.rand(1, 6, 4, 4), torch.rand(1, 6, 2, 2)))
    assert torch.isfinite(method(ours, theirs, NONE, Progress(0, 1, 0, 1))["loss_neck"])
    student, teacher = torch.rand(1, 2, 8, 8), torch.rand(1, 2, 4, 4)
    small = F.interpolate(student, (4, 4), mode="bilinear", align_corners=False)
    assert imitation(student, teacher).item() == pytest.approx(F.mse_loss(small, teacher).item() / 2)


@pytest.mark.parametrize("values", [{"warmup_frac": 0.5}, {"warmup_iters": 5}, {"warmup_iters": 5, "warmup_frac": 0.1}])
def test_kernel_and_warm_up(values: dict[str, Any]) -> None:
    method = registry.build("fitnet", {"adapt_kernel": 1, **values}, ONE, WIDE)
    assert {tuple(p.shape[2:]) for p in method.parameters() if p.ndim == 4} == {(1, 1)}
    ours = Features(neck=(torch.rand(1, 4, 4, 4), torch.rand(1, 4, 2, 2)))
    theirs = Features(neck=(torch.rand(1, 6, 4, 4), torch.rand(1, 6, 2, 2)))
    early, late = (method(ours, theirs, NONE, Progress(0, 1, i, 10))["loss_neck"] for i in (4, 5))
    assert float(early) == 0
    assert float(late) > 0


def test_with_weights_0_there_is_nothing() -> None:
    method = registry.build("fitnet", {"weight": 0, "backbone_stages": [7], "adapt": False}, ONE, COARSE)
    assert not method.taps()
    assert not list(method.modules())[1:]
    assert method(Features(), Features(), NONE, Progress(0, 1, 0, 1)) == {}


def test_other_numbers_of_levels_are_refused() -> None:
    with pytest.raises(
        InputError, match="the student has 2 levels, the teacher 1; choose detectors with the same number"
    ):
        registry.build("fitnet", {}, ONE, replace(WIDE, neck_channels=(6,), neck_strides=(8,)))
    with pytest.raises(InputError, match="the teacher has no FPN levels"):
        registry.build("fitnet", {}, ONE, replace(WIDE, neck_channels=(), neck_strides=()))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"adapt": False}, "adapt: false needs equal channels"),
        ({"backbone_weight": 1.0, "backbone_stages": [4]}, "choose from"),
        ({"backbone_stages": [1, 1]}, "different stages"),
        ({"adapt_kernel": 5}, "adapt_kernel"),
    ],
)
def test_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        registry.build("fitnet", values, ONE, WIDE)
