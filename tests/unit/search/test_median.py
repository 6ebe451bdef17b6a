"""The median rule, worked by hand; and where it differs from Ray Tune's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

import pytest
from ray.tune.schedulers import MedianStoppingRule, TrialScheduler

from kdbench.search.rungs.median import Median

NAN = math.nan


def told(median: Median, epoch: int, values: list[float]) -> list[bool]:
    """The answers to trials 0, 1, 2, ... that report at one epoch, one after the other."""
    return [median.report(f"trial-{number}", epoch, value) for number, value in enumerate(values)]


def test_by_hand() -> None:
    """The first three have too few others. 0.19: of 0.1, 0.3, 0.2 the median is 0.2, below it. 0.195: of 0.1, 0.3, 0.2 and
    0.19, stopped though that was, the median is 0.195; equal goes on. 0.19: of five the median is 0.195, below it."""
    assert told(Median(4), 1, [0.1, 0.3, 0.2, 0.19, 0.195, 0.19]) == [False, False, False, True, False, True]


def test_lower_is_better() -> None:
    assert told(Median(4, mode="min"), 1, [0.9, 0.7, 0.8, 0.81, 0.8]) == [False, False, False, True, False]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_nan_is_worst(mode: Literal["max", "min"]) -> None:
    """NaN is below the median of three figures; where most have NaN, NaN is not below it and a figure is not either."""
    assert told(Median(4, mode=mode), 1, [0.5, 0.5, 0.5, NAN]) == [False, False, False, True]
    assert told(Median(4, mode=mode), 1, [NAN, NAN, 0.5, NAN, 0.0]) == [False] * 5


@pytest.mark.parametrize(("epochs", "grace"), [(1, 1), (3, 1), (8, 2), (11, 2), (12, 3), (80, 20)])
def test_nothing_before_a_quarter_and_nothing_at_the_end(epochs: int, grace: int) -> None:
    """The fourth trial is behind all along: it may be stopped when it has had its grace, until the last epoch but one."""
    median = Median(epochs)
    stopped = [epoch for epoch in range(1, epochs + 1) if told(median, epoch, [0.5, 0.6, 0.7, 0.1])[3]]
    assert stopped == list(range(grace, epochs))


def test_a_given_grace_and_least() -> None:
    median = Median(8, grace=3, least=1)
    assert [told(median, epoch, [0.5, 0.1])[1] for epoch in range(1, 9)] == [False] * 2 + [True] * 5 + [False]
    assert not any(told(Median(8, grace=0, least=0), 1, [0.5]))  # no others, no median


def test_only_the_same_epoch_counts() -> None:
    """Three others were at epoch 1 and two of them at epoch 2: at 2 nothing can be said; at 4 no one has been."""
    median = Median(8, grace=1)
    told(median, 1, [0.5, 0.5, 0.5])
    told(median, 2, [0.6, 0.6])
    assert [median.report("late", epoch, 0.1) for epoch in (2, 4)] == [False, False]
    assert median.report("late", 1, 0.1)


def test_a_value_told_again_counts_once() -> None:
    median = Median(8, grace=1)
    for _ in range(3):
        assert told(median, 1, [0.5, 0.5, 0.1]) == [False] * 3


@dataclass(frozen=True)
class RaysTrial:
    """All that Ray's rule asks of a trial."""

    trial_id: str


def test_ray_lets_a_rising_curve_pass_that_is_behind_everywhere() -> None:
    """Three curves 0.1, 0.3, 0.5 and one that is 0.1, 0.25, 0.45. At epoch 2 Ray compares its best so far, 0.25, with the
    median of running averages, 0.2; at 3 0.45 with 0.3. We compare 0.25 with 0.3, and 0.45 with 0.5."""
    rays, ours = MedianStoppingRule("epoch", "value", "max", grace_period=1, min_samples_required=3), Median(4, grace=1)
    controller = SimpleNamespace(get_live_trials=list)
    answers: dict[str, list[tuple[bool, bool]]] = {}
    for trial, curve in [*((f"trial-{n}", (0.1, 0.3, 0.5)) for n in range(3)), ("behind", (0.1, 0.25, 0.45))]:
        for epoch, value in enumerate(curve, 1):
            decision = rays.on_trial_result(controller, RaysTrial(trial), {"epoch": epoch, "value": value})
            stops = decision == TrialScheduler.STOP, ours.report(trial, epoch, value)
            answers.setdefault(trial, []).append(stops)
    assert answers.pop("behind") == [(False, False), (False, True), (False, True)]
    assert {stops for those in answers.values() for stops in those} == {(False, False)}
