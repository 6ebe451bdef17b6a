"""CWD beyond the golden vectors: numbers by hand, class maps, and heads whose class maps do not agree."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Progress, Taps
from kdbench.methods.cwd import channel_kl

ANCHORS = tuple(((-4.0 * s, -4.0 * s, 4.0 * s, 4.0 * s), (-8.0 * s, -8.0 * s, 8.0 * s, 8.0 * s)) for s in (1, 2))
RETINA = DetectorInfo("one_stage", 3, (8, 8), (8, 16), (4, 8), "RetinaHead", base_anchors=ANCHORS, score_channels=6)
ATSS = replace(RETINA, head="ATSSHead", base_anchors=tuple(level[:1] for level in ANCHORS), score_channels=3)
FCOS = replace(RETINA, head="FCOSHead", base_anchors=(), score_channels=3)
TWO = replace(RETINA, family="two_stage", head="StandardRoIHead", score_channels=0)
CLS = {"source": "cls"}


def test_published_values() -> None:
    method = registry.get("cwd")
    assert method.Params().plain() == {"weight": 10.0, "tau": 1.0, "levels": "all", "source": "fpn"}
    assert registry.resolve("cwd_cls")[1] == CLS


def test_by_hand() -> None:
    teacher = torch.tensor([0.0, math.log(9)]).reshape(1, 1, 1, 2)  # at tau 1: 1/10, 9/10; at tau 2: 1/4, 3/4
    student = torch.zeros(1, 1, 1, 2)
    at_1 = 0.1 * math.log(0.1 * 2) + 0.9 * math.log(0.9 * 2)
    at_2 = 4 * (0.25 * math.log(0.25 * 2) + 0.75 * math.log(0.75 * 2))
    assert channel_kl(student, teacher).item() == pytest.approx(at_1, rel=1e-5)
    assert channel_kl(student, teacher, 2.0).item() == pytest.approx(at_2, rel=1e-5)
    twice = channel_kl(student.repeat(3, 5, 1, 1), teacher.repeat(3, 5, 1, 1))
    assert twice.item() == pytest.approx(at_1, rel=1e-5)


def test_a_shift_of_a_channel_does_not_matter_and_a_scale_does() -> None:
    level = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert channel_kl(level + 3, level) < 1e-6
    assert channel_kl(level * 3, level) > 0.1


def test_large_values_and_constant_channels_are_finite() -> None:
    flat = torch.zeros(1, 2, 40, 60, requires_grad=True)
    peak = torch.zeros(1, 2, 40, 60)
    peak[:, :, 3, 4] = 1e4
    loss = channel_kl(flat, peak, 0.25)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2400) / 16, rel=1e-4)
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_class_maps_are_tapped_and_compared_without_convolutions() -> None:
    method = registry.build("cwd", CLS, RETINA, replace(RETINA, neck_channels=(12, 12)))
    assert method.taps() == Taps(dense=True)
    assert not list(method.parameters())
    maps = {who: tuple(torch.randn(2, 6, 8 // t, 8 // t) for t in (1, 2)) for who in ("student", "teacher")}
    ours, theirs = (Features(scores=maps[who]) for who in ("student", "teacher"))
    terms = method(ours, theirs, Batch((64, 64), [(64, 64)] * 2, [], [], []), Progress(0, 1, 0, 1))
    for level in (0, 1):
        expected = channel_kl(maps["student"][level], maps["teacher"][level]) * 10
        assert terms[f"loss_cwd_l{level}"] == expected


@pytest.mark.parametrize(
    ("student", "teacher", "reason"),
    [
        (TWO, RETINA, "the student's StandardRoIHead has none; set source: fpn"),
        (RETINA, TWO, "the teacher's StandardRoIHead has none; set source: fpn"),
        (RETINA, ATSS, "RetinaHead has 6, the teacher's ATSSHead 3; set source: fpn"),
        (RETINA, replace(RETINA, base_anchors=ANCHORS[::-1]), "different anchors; set source: fpn"),
        (RETINA, replace(RETINA, num_classes=6), "3 classes, teacher 6"),
    ],
)
def test_class_maps_that_do_not_agree_are_refused(student: DetectorInfo, teacher: DetectorInfo, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        registry.build("cwd", CLS, student, teacher)
    assert "\n" not in str(caught.value)
    if student.num_classes == teacher.num_classes:
        registry.build("cwd", {}, student, teacher)


def test_with_one_anchor_a_cell_channels_are_classes_whatever_the_anchor() -> None:
    registry.build("cwd", CLS, ATSS, FCOS)
    registry.build("cwd", CLS, ATSS, replace(ATSS, base_anchors=tuple(level[1:] for level in ANCHORS)))
