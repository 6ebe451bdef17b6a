"""What PKD, CWD and MGD share: one term a level, levels to choose, nothing without a weight, nothing that waits."""

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
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress

ONE = DetectorInfo("one_stage", 3, (8,) * 5, (8, 16, 32, 64, 128), (4, 8, 16, 32), head="RetinaHead", score_channels=27)
WIDE = replace(ONE, neck_channels=(12,) * 5)
START = Progress(0, 1, 0, 1)
SIZE = (128, 192)
BATCH = Batch(SIZE, [SIZE] * 2, [torch.zeros(0, 4)] * 2, [torch.zeros(0).long()] * 2, [torch.zeros(0, 4)] * 2)
METHODS = {
    "pkd": {"weight": 6.0},
    "pkd_teacher_resized": {"weight": 6.0, "resize_stu": False, "decay": "cosine"},
    "cwd": {"weight": 10.0, "tau": 2.0},
    "cwd_cls": {"weight": 10.0, "source": "cls"},
    "mgd": {"alpha_mgd": 2e-5},
    "mgd_channel": {"alpha_mgd": 2e-5, "mask_on_channel": True, "norm": "mean"},
}
each_method = pytest.mark.parametrize("key", METHODS)


def build(key: str, student: DetectorInfo = ONE, teacher: DetectorInfo | None = WIDE, **params: Any) -> Method:
    torch.manual_seed(0)
    return registry.build(key.partition("_")[0], {**METHODS[key], **params}, student, teacher)


def features(info: DetectorInfo, seed: int, change: Callable[[Tensor], Tensor] = lambda level: level) -> Features:
    """Noise for two images, with gradient."""
    random = torch.Generator().manual_seed(seed)
    sizes = [(-(-SIZE[0] // stride), -(-SIZE[1] // stride)) for stride in info.neck_strides]

    def maps(channels: list[int]) -> tuple[Tensor, ...]:
        return tuple(
            change(torch.randn(2, C, *size, generator=random)).requires_grad_()
            for C, size in zip(channels, sizes, strict=True)
        )

    return Features(neck=maps(list(info.neck_channels)), scores=maps([info.score_channels] * len(sizes)))


def run(method: Method, **change: Any) -> dict[str, Tensor]:
    return method(features(ONE, 0, **change), features(WIDE, 1, **change), BATCH, START)


@each_method
def test_with_weight_0_there_is_nothing(key: str) -> None:
    (weight,) = registry.get(key.partition("_")[0]).weights
    method = build(key, **{weight: 0, "levels": [7]})
    assert not method.taps()
    assert not list(method.modules())[1:]
    assert method(Features(), Features(), BATCH, START) == {}
    assert not method.inherits
    build(key, ONE, replace(WIDE, neck_strides=(4, 8, 16, 32, 64)), **{weight: 0})


@each_method
@pytest.mark.parametrize(
    ("levels", "names"), [("all", [0, 1, 2, 3, 4]), ("first_4", [0, 1, 2, 3]), ([1, 4], [1, 4]), ([3], [3])]
)
def test_one_term_a_level(key: str, levels: Any, names: list[int]) -> None:
    prefix = f"loss_{key.partition('_')[0]}_l"
    terms = run(build(key, levels=levels))
    assert list(terms) == [f"{prefix}{level}" for level in names]
    assert all(term.isfinite() and term > 0 and term.dtype == torch.float32 for term in terms.values())


def test_the_first_four_of_fewer_levels_are_all_of_them() -> None:
    three = replace(ONE, neck_channels=(8,) * 3, neck_strides=(8, 16, 32))
    assert build("pkd", three, three, levels="first_4").levels == (0, 1, 2)
    assert build("cwd", three, three, levels="all").levels == (0, 1, 2)


@each_method
def test_every_parameter_gets_a_gradient_and_the_teacher_none(key: str) -> None:
    method, ours, theirs = build(key, levels="all"), features(ONE, 0), features(WIDE, 1)
    torch.stack(list(method(ours, theirs, BATCH, START).values())).sum().backward()
    assert all(parameter.grad is not None for parameter in method.parameters())
    tapped, given = (ours.scores, theirs.scores) if method.taps().dense else (ours.neck, theirs.neck)
    assert all(level.grad is not None and level.grad.isfinite().all() for level in tapped)
    assert all(level.grad is None for level in given)


@each_method
def test_equal_widths_need_no_convolution(key: str) -> None:
    names = {name.split(".")[0] for name, _ in build(key, teacher=ONE).named_parameters()}
    assert names == ({"generators"} if key.startswith("mgd") else set())


@each_method
def test_half_precision(key: str) -> None:
    method = build(key)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.manual_seed(1)
        low = run(method)
    torch.manual_seed(1)
    exact = run(method)
    assert {term.dtype for term in low.values()} == {torch.float32}
    assert {n: t.item() for n, t in low.items()} == pytest.approx({n: t.item() for n, t in exact.items()}, rel=0.05)
    terms = run(method, change=lambda level: level.half())  # what a student in mmcv's fp16 hands over
    assert all(term.isfinite() and term.dtype == torch.float32 for term in terms.values())


def test_sums_of_half_precision_do_not_overflow() -> None:
    terms = run(build("mgd", alpha_mgd=1.0), change=lambda level: (level * 100).half())
    assert all(term.isfinite() for term in terms.values())
    assert terms["loss_mgd_l0"] > 65504


class NoWaiting(TorchDispatchMode):
    """Refuses the operators that read a number or a count from the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name()
        by_mask = name == "aten::index.Tensor" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if by_mask or name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


@each_method
def test_a_step_never_waits_for_the_device(key: str) -> None:
    method, ours, theirs = build(key), features(ONE, 0), features(WIDE, 1)
    with pytest.raises(AssertionError, match="waits"), NoWaiting():
        torch.ones(1).item()
    with NoWaiting():
        torch.stack(list(method(ours, theirs, BATCH, START).values())).sum().backward()


NO_FPN = replace(ONE, neck_channels=(), neck_strides=())
SHORT = replace(ONE, neck_channels=(8,) * 3, neck_strides=(8, 16, 32))


@each_method
@pytest.mark.parametrize(
    ("params", "student", "teacher", "reason"),
    [
        ({"levels": "all"}, ONE, SHORT, r"levels: all pairs every FPN level.*5.*3; set levels to some of \[0, 1, 2\]"),
        ({"levels": "first_4"}, ONE, SHORT, r"the teacher has 3 FPN levels; choose from \[0, 1, 2\]"),
        ({"levels": [0, 5]}, ONE, ONE, "the student has 5 FPN levels; choose from"),
        ({"levels": []}, ONE, ONE, "key 'levels': give all, first_4, or different levels"),
        ({"levels": [1, 1]}, ONE, ONE, "key 'levels': give all"),
        ({"levels": [-1]}, ONE, ONE, "key 'levels': give all"),
        ({"levels": [True]}, ONE, ONE, "key 'levels': give all"),
        ({"levels": "first"}, ONE, ONE, "key 'levels': give all"),
        ({}, NO_FPN, ONE, "the student has no FPN levels; choose a detector with a neck"),
        ({}, ONE, NO_FPN, "the teacher has no FPN levels"),
        ({}, ONE, replace(ONE, num_classes=4), "3 classes, teacher 4"),
    ],
)
def test_what_is_refused(key: str, params: dict, student: DetectorInfo, teacher: DetectorInfo, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        build(key, student, teacher, **params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["cwd", "cwd_cls", "mgd"])
def test_other_strides_are_refused_where_maps_must_be_equal(key: str) -> None:
    finer = replace(ONE, neck_strides=(4, 8, 16, 32, 64))
    with pytest.raises(InputError, match="strides .* so their maps differ in size; choose"):
        build(key, ONE, finer)
    with pytest.raises(InputError, match="differ in shape"):
        build(key, ONE, ONE)(features(ONE, 0), features(finer, 0), BATCH, START)


@each_method
def test_a_teacher_is_needed(key: str) -> None:
    with pytest.raises(InputError, match="needs a teacher"):
        build(key, ONE, None)
    with pytest.raises(InputError, match="needs a teacher"):
        method = registry.get(key.partition("_")[0])
        method(method.Params.parse(METHODS[key], "here"), ONE, None)
