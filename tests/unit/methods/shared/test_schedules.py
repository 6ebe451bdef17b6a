"""Decay and warm-up."""

from __future__ import annotations

import pytest

from kdbench.methods.base import Progress
from kdbench.methods.shared.schedules import decay_factor, factor


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("none", [1, 1, 1, 1]),
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [1, 0.853553, 0.5, 0.146447]),
        ("up_down", [1, 2, 4 / 3, 2 / 3]),
    ],
)
def test_four_epochs(decay: str, expected: list[float]) -> None:
    assert [decay_factor(decay, e, 4) for e in range(4)] == pytest.approx(expected, abs=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_up_down_of_few_epochs_takes_its_top_at_one(steps: int) -> None:
    assert [decay_factor("up_down", e, steps) for e in range(steps)] == pytest.approx([1, 2, 1][:steps])


def test_by_epoch_it_is_constant_inside_the_epoch_and_by_iteration_it_is_not() -> None:
    now = Progress(epoch=1, max_epochs=4, iteration=19, max_iterations=40)
    assert factor(now, "linear") == 0.75
    assert factor(now, "linear", "iter") == pytest.approx(1 - 19 / 40)


def test_warm_up_ends_after_its_iterations() -> None:
    factors = [factor(Progress(0, 1, i, 10), warmup_iters=2) for i in range(4)]
    assert factors == [0, 0, 1, 1]
