"""Intervals and verdicts, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kdbench.leaderboard.statistics import compare, summarize


def test_one_seed_has_no_spread() -> None:
    one = summarize([0.3])
    assert (one.n, one.mean, one.std, one.ci95) == (1, 0.3, None, None)


def test_three_seeds() -> None:
    # mean 0.3, std 0.1, t(2) = 4.302653: half-width 4.302653 * 0.1 / sqrt(3) = 0.248414
    three = summarize([0.2, 0.3, 0.4])
    assert three.mean == pytest.approx(0.3)
    assert three.std == pytest.approx(0.1)
    assert three.ci95 == pytest.approx(0.248414, abs=1e-6)


def test_paired_where_all_seeds_are_shared() -> None:
    # Differences 0.10, 0.12, 0.14: std 0.02, half-width 4.302653 * 0.02 / sqrt(3) = 0.049683.
    # The seeds' own spread (0.2 to 0.4) is far wider and drops out.
    result = compare({0: 0.30, 1: 0.42, 2: 0.54}, {2: 0.40, 1: 0.30, 0: 0.20})
    assert result.delta == pytest.approx(0.12)
    assert result.ci95 == pytest.approx(0.049683, abs=1e-6)
    assert result.verdict == "better"


def test_welch_where_they_are_not() -> None:
    # Variances 0.0001 and 0.0004, three each: standard error sqrt(0.0005 / 3) = 0.0129099;
    # freedom (5e-4/3)^2 / ((1e-4/3)^2/2 + (4e-4/3)^2/2) = 2.941176, t = 3.219086; half-width 0.041558.
    result = compare({0: 0.49, 1: 0.50, 2: 0.51}, {7: 0.38, 8: 0.40, 9: 0.42})
    assert result.delta == pytest.approx(0.10)
    assert result.ci95 == pytest.approx(3.219086 * math.sqrt(5e-4 / 3), rel=2e-3)
    assert result.verdict == "better"


def test_seeds_shared_in_part_are_not_paired() -> None:
    own, base = {0: 0.30, 1: 0.40, 2: 0.50}, {1: 0.35, 2: 0.45, 3: 0.20}
    apart = compare(own, {11: 0.35, 12: 0.45, 13: 0.20})
    assert compare(own, base) == apart


@pytest.mark.parametrize(
    ("own", "base"), [({0: 0.3}, {0: 0.1, 1: 0.2}), ({0: 0.3, 1: 0.3}, {0: 0.1}), ({0: 1}, {0: 0})]
)
def test_single(own: dict[int, float], base: dict[int, float]) -> None:
    result = compare(own, base)
    assert (result.verdict, result.ci95) == ("single", None)


def test_ties_and_losses() -> None:
    assert compare({0: 0.30, 1: 0.20, 2: 0.26}, {0: 0.25, 1: 0.26, 2: 0.24}).verdict == "tie"
    assert compare({0: 0.10, 1: 0.11, 2: 0.12}, {0: 0.30, 1: 0.31, 2: 0.33}).verdict == "worse"


def test_equal_figures_are_a_tie_and_exact_ones_are_not() -> None:
    same = {0: 0.25, 1: 0.5}
    assert compare(same, same).verdict == "tie"
    assert compare({0: 0.5, 1: 0.5}, {5: 0.25, 6: 0.25, 7: 0.25}).verdict == "better"


@pytest.mark.parametrize("paired", [True, False])
def test_a_planted_tie_is_called_a_difference_in_one_of_twenty(paired: bool) -> None:
    rng = np.random.default_rng(0)
    shift = 0 if paired else 100

    def verdict() -> str:
        own, base = rng.normal(0.35, 0.02, 5), rng.normal(0.35, 0.02, 5)
        return compare(dict(enumerate(own.tolist())), dict(enumerate(base.tolist(), shift))).verdict

    verdicts = [verdict() for _ in range(1000)]
    assert 0.03 < 1 - verdicts.count("tie") / 1000 < 0.07


def test_a_planted_win_is_found() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(100):
        seeds = rng.normal(0.0, 0.05, 5)  # what pairing removes
        own, base = 0.40 + seeds + rng.normal(0, 0.005, 5), 0.35 + seeds + rng.normal(0, 0.005, 5)
        found += compare(dict(enumerate(own.tolist())), dict(enumerate(base.tolist()))).verdict == "better"
    assert found >= 98
