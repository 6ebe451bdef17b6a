"""MGD beyond the golden vectors: what is erased, how the error is scaled, and what is inherited."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress
from kdbench.methods.mgd.method import area_factor

SQUARES = tuple(((-4.0 * s, -4.0 * s, 4.0 * s, 4.0 * s),) for s in (8, 16, 32, 64, 128))
ONE = DetectorInfo(
    "one_stage", 3, (8,) * 5, (8, 16, 32, 64, 128), (4, 8), "RetinaHead", base_anchors=SQUARES, score_channels=3
)
TWO = replace(ONE, family="two_stage", head="StandardRoIHead", score_channels=0)
START = Progress(0, 1, 0, 1)


def build(student: DetectorInfo = ONE, teacher: DetectorInfo = ONE, **params: object) -> Method:
    torch.manual_seed(0)
    return registry.build("mgd", {"alpha_mgd": 1e-3, "levels": [0], **params}, student, teacher)


def run(method: Method, size: tuple[int, int] = (64, 96), seed: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(2, 8, 8, 12, generator=random) for _ in range(2))
    torch.manual_seed(seed)
    batch = Batch(size, [size] * 2, [], [], [])
    (term,) = method(Features(neck=(ours,)), Features(neck=(theirs,)), batch, START).values()
    return term


def test_published_values() -> None:
    method = registry.get("mgd")
    one, two = method.default_params(ONE), method.default_params(TWO)
    assert one == {"alpha_mgd": 2e-5, "lambda_mgd": 0.65, "levels": "all", "init_student_head": True}
    assert two == {"alpha_mgd": 5e-7, "lambda_mgd": 0.45, "levels": "first_4", "init_student_head": False}
    assert method.Params().plain() == {**two, "mask_on_channel": False, "norm": "area"}
    assert registry.resolve("mgd_channel")[1] == {"mask_on_channel": True}


# -- the mask --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.2, 0.65, 0.95])
def test_lambda_is_the_share_that_is_erased(share: float) -> None:
    kept = build(lambda_mgd=share).keep_mask(torch.zeros(4, 8, 100, 100))
    assert kept.shape == (4, 1, 100, 100)
    assert kept.mean().item() == pytest.approx(1 - share, abs=0.01)
    assert set(kept.unique().tolist()) <= {0.0, 1.0}


def test_channels_can_be_erased_instead() -> None:
    kept = build(mask_on_channel=True, lambda_mgd=0.5).keep_mask(torch.zeros(50, 80, 3, 3))
    assert kept.shape == (50, 80, 1, 1)
    assert kept.mean().item() == pytest.approx(0.5, abs=0.05)


def test_only_numbers_above_the_limit_erase() -> None:
    method = build(lambda_mgd=0.25)
    method.draw = lambda shape, like: torch.tensor([0.0, 0.75, 0.7501]).reshape(1, 1, 1, 3)
    assert method.keep_mask(torch.zeros(1, 8, 1, 3)).flatten().tolist() == [1, 1, 0]


def test_masks_are_new_each_step_and_follow_torchs_stream() -> None:
    method = build()
    assert run(method, seed=1) == run(method, seed=1)
    assert run(method, seed=1) != run(method, seed=2)
    torch.manual_seed(1)
    first, second = (method.keep_mask(torch.zeros(1, 8, 9, 9)) for _ in range(2))
    assert not torch.equal(first, second)
    both = method.keep_mask(torch.zeros(2, 8, 9, 9))
    assert not torch.equal(both[0], both[1])


def test_what_is_erased_gets_no_gradient_and_counts_all_the_same() -> None:
    method = build(lambda_mgd=0.5)
    ours, theirs = torch.randn(1, 8, 6, 6, requires_grad=True), torch.randn(1, 8, 6, 6)
    drawn = torch.rand(1, 1, 6, 6)
    method.draw = lambda shape, like: drawn
    batch = Batch((48, 48), [(48, 48)], [], [], [])
    method(Features(neck=(ours,)), Features(neck=(theirs,)), batch, START)["loss_mgd_l0"].backward()
    assert ours.grad is not None
    assert (ours.grad * (drawn > 0.5)).abs().max() == 0
    assert (ours.grad * (drawn <= 0.5)).abs().max() > 0


def test_nothing_of_a_step_stays_in_the_state() -> None:
    method = build(ONE, replace(ONE, neck_channels=(12,) * 5))
    before = list(method.state_dict())
    method(Features(neck=(torch.rand(1, 8, 4, 4),)), Features(neck=(torch.rand(1, 12, 4, 4),)), _batch(), START)
    assert list(method.state_dict()) == before
    assert {name.split(".")[0] for name in before} == {"aligners", "generators"}
    assert not list(method.buffers())


def _batch() -> Batch:
    return Batch((32, 32), [(32, 32)], [], [], [])


# -- the scale -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(800, 1333), (800, 1344), (800, 1088), (1344, 800), (416, 1344), (1216, 1024)])
def test_at_the_papers_input_size_the_error_is_the_official_one(size: tuple[int, int]) -> None:
    assert area_factor(size) == 1
    assert run(build(), size) == run(build(norm="sum"), size)


@pytest.mark.parametrize("size", [(128, 128), (64, 96), (608, 1024), (320, 320)])
def test_on_smaller_inputs_the_error_is_scaled_by_the_area(size: tuple[int, int]) -> None:
    factor = 800 * 1333 / (size[0] * size[1])
    assert run(build(), size).item() == pytest.approx(run(build(norm="sum"), size).item() * factor, rel=1e-5)


def test_the_mean_is_the_sum_over_the_number_of_elements() -> None:
    assert run(build(norm="mean")).item() == pytest.approx(run(build(norm="sum")).item() / (8 * 8 * 12), rel=1e-5)


# -- what is inherited -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("student", "teacher", "inherits"),
    [
        (ONE, ONE, True),
        (ONE, replace(ONE, backbone_channels=(8, 16)), True),
        (TWO, TWO, True),
        (ONE, replace(ONE, neck_channels=(12,) * 5), False),
        (ONE, replace(ONE, head="GFLHead", bins=17), False),
        (ONE, replace(ONE, base_anchors=tuple(level * 2 for level in SQUARES)), False),
        (ONE, replace(ONE, score_channels=27), False),
        (TWO, replace(TWO, head="CascadeRoIHead"), False),
    ],
)
def test_the_head_is_inherited_where_the_heads_agree(
    student: DetectorInfo, teacher: DetectorInfo, inherits: bool
) -> None:
    assert build(student, teacher, init_student_head=True).inherits is inherits
    assert build(student, teacher, init_student_head=False).inherits is False
    assert build(student, teacher, init_student_head=True, alpha_mgd=0).inherits is False


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_makes_no_sense_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="key 'lambda_mgd'"):
        build(lambda_mgd=share)
