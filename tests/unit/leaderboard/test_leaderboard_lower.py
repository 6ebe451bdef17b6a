"""A leaderboard by a metric of which less is better."""

from __future__ import annotations

import pytest

from kdbench.leaderboard.render import render
from kdbench.leaderboard.rows import build_rows
from kdbench.leaderboard.statistics import compare
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun


def figures(run: MakeRun, method: str, config: str, values: list[float], **changes: object) -> list[Run]:
    """Completed trials of one configuration, a seed each, on the search split."""
    return [
        run(method, config, seed, params={"metric": "mMR"}, metrics={"best/mMR": value, "best/mAP": value}, **changes)
        for seed, value in enumerate(values)
    ]


def test_order_delta_verdict_and_gap(run: MakeRun) -> None:
    teacher = figures(run, "none", "", [0.40], kind="teacher", study=None, trial=None)
    runs = [
        *figures(run, "none", "n", [0.50, 0.51, 0.49]),
        *figures(run, "none", "tuned_worse", [0.60]),
        *figures(run, "defeat", "good", [0.45, 0.46, 0.44]),
        *figures(run, "defeat", "bad", [0.55, 0.56, 0.54]),
        *teacher,
    ]
    rows = build_rows(runs)
    assert [(row.method, round(row.mean, 3)) for row in rows] == [
        ("defeat", 0.45),
        ("none", 0.5),
        ("defeat", 0.55),
        ("none", 0.6),
    ]
    good, base, bad, _ = rows
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    assert [row.baseline_mean for row in rows] == [pytest.approx(0.5)] * 4
    # The delta is the mean less the baseline's, as for every metric; the verdict knows the direction.
    assert (good.delta, good.verdict) == (pytest.approx(-0.05), "better")
    assert (bad.delta, bad.verdict) == (pytest.approx(0.05), "worse")
    assert good.gap_closed == pytest.approx(0.5)
    assert bad.gap_closed == pytest.approx(-0.5)
    assert base.gap_closed == pytest.approx(0.0)


def test_a_teacher_with_a_higher_miss_rate_leaves_no_gap(run: MakeRun) -> None:
    teacher = figures(run, "none", "", [0.60], kind="teacher", study=None, trial=None)
    (row, _) = build_rows([*figures(run, "none", "n", [0.5]), *figures(run, "defeat", "a", [0.45]), *teacher])
    assert (row.teacher_mean, row.gap_closed) == (0.6, None)


def test_the_direction_is_said(run: MakeRun) -> None:
    rows = build_rows([*figures(run, "none", "n", [0.5]), *figures(run, "defeat", "a", [0.45])])
    for form in ("table", "markdown"):
        assert "mMR: lower is better, and a delta below 0 is a gain" in render(rows, form)
    assert "-0.050" in render(rows)


def test_verdicts_turn_and_ties_stay() -> None:
    low, high = {0: 0.1, 1: 0.11, 2: 0.12}, {0: 0.5, 1: 0.52, 2: 0.51}
    assert compare(low, high, "min").verdict == "better"
    assert compare(high, low, "min").verdict == "worse"
    assert compare(low, high).verdict == "worse"
    assert compare(low, low, "min").verdict == compare(low, low).verdict == "tie"
    assert compare({0: 0.1}, high, "min").verdict == "single"
