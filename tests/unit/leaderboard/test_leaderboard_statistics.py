"""Intervals and verdicts, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kdbench.leaderboard.statistics import compare, corrected, holm, summarize


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
    # t = 0.12 / (0.02 / sqrt(3)) = 10.392305; with 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2) = 0.009133.
    assert result.p_value == result.p_holm == pytest.approx(1 - 10.392305 / math.sqrt(10.392305**2 + 2), rel=1e-6)
    assert result.p_value == pytest.approx(0.009133, abs=1e-6)


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


def by_seed(values: np.ndarray, first: int = 0) -> dict[int, float]:
    return dict(enumerate(values.tolist(), first))


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_equal_to_scipy_on_random_figures(n: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(n)
    for _ in range(25):
        own, base, more = rng.normal(0.36, 0.03, n), rng.normal(0.35, 0.02, n), rng.normal(0.35, 0.01, n + 2)
        mine = summarize(own.tolist())
        low, high = stats.t.interval(0.95, n - 1, loc=own.mean(), scale=stats.sem(own))
        assert (mine.mean - mine.ci95, mine.mean + mine.ci95) == (pytest.approx(low), pytest.approx(high))
        for found, theirs in (
            (compare(by_seed(own), by_seed(base)), stats.ttest_rel(own, base)),
            (compare(by_seed(own), by_seed(more, 50)), stats.ttest_ind(own, more, equal_var=False)),
        ):
            interval = theirs.confidence_interval(0.95)
            assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
            assert found.delta - found.ci95 == pytest.approx(interval.low, abs=1e-12)
            assert found.delta + found.ci95 == pytest.approx(interval.high, abs=1e-12)
            # Alone in its family, a comparison is a tie exactly if its interval holds zero.
            assert (found.verdict == "tie") == (abs(found.delta) <= found.ci95)


@pytest.mark.parametrize(
    ("own", "base", "p", "verdict"),
    [
        ({0: 0.25, 1: 0.5}, {0: 0.25, 1: 0.5}, 1.0, "tie"),  # no difference at all
        ({0: 0.5, 1: 0.75}, {0: 0.25, 1: 0.5}, 0.0, "better"),  # the same one with every seed
        ({0: 0.3, 1: 0.3}, {0: 0.1 + 0.2, 1: 0.1 + 0.2}, 1.0, "tie"),  # 0.1 + 0.2 is 5e-17 above 0.3: rounding
        ({0: 0.4, 1: 0.6}, {0: 0.5, 1: 0.7}, 0.0, "worse"),  # differences of -0.1 that differ in their last bit
        ({0: 0.5, 1: 0.5}, {5: 0.25, 6: 0.25, 7: 0.25}, 0.0, "better"),
        ({0: 0.5, 1: 0.5}, {5: 0.5, 6: 0.5, 7: 0.5}, 1.0, "tie"),
    ],
)
def test_where_nothing_varies(own: dict[int, float], base: dict[int, float], p: float, verdict: str) -> None:
    result = compare(own, base)
    assert (result.p_value, result.p_holm, result.verdict) == (p, p, verdict)
    assert result.ci95 == pytest.approx(0.0, abs=1e-12)
    assert corrected([result, result])[0].p_holm == p


def test_holm_by_hand() -> None:
    # Sorted: 0.01, 0.02, 0.03, 0.04, times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04; none below the one before it: 0.06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    # Holm's own stop: once one is not small enough, no later one counts.
    assert holm([0.3, 0.5]) == [0.6, 0.6]
    assert (holm([0.7, 0.9]), holm([0.03]), holm([]), holm([0.0, 1.0])) == ([1.0, 1.0], [0.03], [], [0.0, 1.0])


def test_a_family_of_one_is_not_corrected() -> None:
    one = compare({0: 0.30, 1: 0.42, 2: 0.54}, {0: 0.20, 1: 0.30, 2: 0.40})
    assert corrected([one]) == [one]


def test_single_seeds_do_not_count_in_a_family() -> None:
    one = compare({0: 0.30, 1: 0.42, 2: 0.54}, {0: 0.20, 1: 0.30, 2: 0.40})
    single = compare({0: 0.9}, {0: 0.20, 1: 0.30, 2: 0.40})
    assert corrected([single, one, single]) == [single, one, single]
    assert (single.p_value, single.p_holm, single.verdict) == (None, None, "single")


def test_holm_turns_a_small_win_among_many_into_a_tie_and_leaves_a_large_one() -> None:
    # Differences 0.01, 0.03, 0.02: std 0.01, t = 0.02 / (0.01 / sqrt(3)) = 3.464102, p = 0.074180, a tie as it is;
    # 0.02, 0.03, 0.025: std 0.005, t = 8.660254, p = 1 - 8.660254 / sqrt(77) = 0.013072: a win alone, and with
    # four others (0.013072 x 4 = 0.052288 after a smaller one) no more; a constant 0.1 +- 1e-4 stays a win.
    base = {0: 0.30, 1: 0.31, 2: 0.32}
    tie = compare({0: 0.31, 1: 0.34, 2: 0.34}, base)
    win = compare({0: 0.32, 1: 0.34, 2: 0.345}, base)
    large = compare({0: 0.4001, 1: 0.4100, 2: 0.4199}, base)
    assert (tie.p_value, win.p_value) == (pytest.approx(0.074180, abs=1e-6), pytest.approx(0.013072, abs=1e-6))
    assert (tie.verdict, win.verdict, large.verdict) == ("tie", "better", "better")
    after = corrected([win, tie, large, tie, tie])
    assert after[0].p_holm == pytest.approx(4 * win.p_value)
    assert [one.verdict for one in after] == ["tie", "tie", "better", "tie", "tie"]
    assert after[0].ci95 == win.ci95


def test_one_of_many_ties_is_called_a_difference_in_one_family_of_twenty() -> None:
    """What Holm is for: of ten methods that are all as good as the baseline, one would win in many of the families."""
    rng = np.random.default_rng(0)
    alone = together = 0
    for _ in range(400):
        base = by_seed(rng.normal(0.35, 0.02, 5))
        family = [compare(by_seed(rng.normal(0.35, 0.02, 5)), base) for _ in range(10)]
        alone += any(one.verdict != "tie" for one in family)
        together += any(one.verdict != "tie" for one in corrected(family))
    assert alone / 400 > 0.2
    assert together / 400 < 0.07
