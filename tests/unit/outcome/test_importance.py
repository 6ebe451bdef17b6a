"""Importance of parameters, from runs to shares: a parameter that decides all has nearly all of it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kdbench.outcome.importance import importances
from kdbench.tracking.reader import Run

WEIGHT, DECAY, LR = "method.params.neck_fg_weight", "method.params.decay", "schedule.lr"


def trial(number: int, figure: float, **params: Any) -> Run:
    texts = {key: str(value) for key, value in params.items()}
    return Run(
        run_id=str(number),
        kind="trial",
        study="s",
        task="shapes",
        method="defeat",
        trial=f"defeat-{number:03d}",
        stage="search",
        end="completed",
        params={"metric": "mAP", **texts},
        metrics={"best/mAP": figure},
    )


def search(count: int, decides: str) -> list[Run]:
    draw = random.Random(0)
    runs = []
    for number in range(count):
        values = {
            WEIGHT: round(10 ** draw.uniform(-0.5, 1.4), 4),
            DECAY: draw.choice(["none", "linear"]),
            LR: draw.random(),
        }
        figure = {WEIGHT: values[WEIGHT] / 30, DECAY: 0.1 + 0.3 * (values[DECAY] == "none")}[decides]
        runs.append(trial(number, figure, **values))
    return runs


@pytest.mark.parametrize("decides", [WEIGHT, DECAY])
def test_the_parameter_that_decides_is_first(decides: str) -> None:
    (found,) = importances(search(24, decides)).values()
    names = list(found.shares)
    assert decides.endswith(names[0])
    assert found.shares[names[0]] > 0.7
    assert sum(found.shares.values()) == pytest.approx(1)
    assert (found.trials, found.reason) == (24, None)
    assert set(names) == {"neck_fg_weight", "decay", "lr"}


def test_it_comes_out_the_same_twice() -> None:
    runs = search(12, WEIGHT)
    assert importances(runs) == importances(runs)


def test_a_value_that_may_be_none_is_a_choice() -> None:
    clips = ["none", "10", "35", "none", "10", "35"]
    runs = [trial(i, 0.1 * i, **{"schedule.grad_clip": clip, LR: 0.1 * i}) for i, clip in enumerate(clips)]
    (found,) = importances(runs).values()
    assert set(found.shares) == {"grad_clip", "lr"}


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (search(3, WEIGHT), "needs 4 completed trials, has 3"),
        ([trial(i, 0.1) for i in range(9)], "no parameter was varied"),
        ([trial(i, 0.1 * i, **{LR: i}) for i in range(9)], "only lr was varied, so there is nothing to share"),
        ([trial(i, 0.2, **{LR: i, WEIGHT: i}) for i in range(9)], "every trial has the same figure"),
    ],
)
def test_why_there_is_none(runs: list[Run], says: str) -> None:
    (found,) = importances(runs).values()
    assert (found.shares, found.reason) == ({}, says)
