"""Sequential halving over arms: rounds, shares and cuts worked by hand."""

from __future__ import annotations

import pytest

from kdbench.search.arms.allocation import cut, each, each_by_hours, number_of_rounds, ranked, shares, shares_by_hours

TEN = [f"arm{number}" for number in range(10)]


def test_rounds_are_the_logarithm_of_the_arms_rounded_up() -> None:
    assert [number_of_rounds(arms) for arms in range(1, 10)] == [1, 1, 2, 2, 3, 3, 3, 3, 4]
    assert number_of_rounds(2**70 + 1) == 71  # no rounding of a float's logarithm


def test_rounds_cost_about_the_same() -> None:
    """120 trials over ten arms: a quarter of what is left, a third, a half, the rest."""
    assert each(10, 4, 120) == 3  # 30
    assert each(5, 3, 90) == 6  # 30
    assert each(3, 2, 60) == 10  # 30
    assert each(2, 1, 30) == 15  # 30


def test_a_small_budget_still_gives_everyone_one() -> None:
    assert each(10, 4, 10) == 1
    assert each(10, 4, 9) == 0
    assert shares(TEN, 4, 9) == {arm: int(arm != "arm9") for arm in TEN}
    assert shares(TEN, 4, 0) == dict.fromkeys(TEN, 0)


def test_the_last_round_takes_all_and_leftovers_go_to_the_better_arms() -> None:
    assert shares(["a", "b", "c"], 1, 11) == {"a": 4, "b": 4, "c": 3}
    assert shares(["a", "b", "c"], 2, 11) == {"a": 1, "b": 1, "c": 1}


def test_a_single_arm_takes_all_whatever_the_round() -> None:
    assert each(1, 3, 11) == 11
    assert shares(["a"], 3, 11) == {"a": 11}


@pytest.mark.parametrize("arms", range(1, 12))
def test_every_budget_is_spent_to_the_last_trial(arms: int) -> None:
    for budget in range(150):
        left, standing = budget, TEN[:arms] if arms <= 10 else [*TEN, "arm10"]
        for rounds in range(number_of_rounds(arms), 0, -1):
            given = shares(standing, rounds, left)
            assert sum(given.values()) <= left
            assert max(given.values()) - min(given.values()) <= 1
            assert list(given.values()) == sorted(given.values(), reverse=True)
            left -= sum(given.values())
            standing, _ = cut({arm: -float(place) for place, arm in enumerate(standing)}, None)
        assert left == 0
        assert len(standing) == 1


def test_hours_buy_everyone_the_same_number_of_trials() -> None:
    costs = {"dear": 3.0, "cheap": 1.0}
    assert each_by_hours(costs, 2, 16.0) == 2
    assert each_by_hours(costs, 2, 7.9) == 1  # not half a round: one each while that fits
    assert each_by_hours(costs, 2, 3.9) == 0
    assert shares_by_hours(costs, 2, 16.0) == {"dear": 2, "cheap": 2}


def test_hours_left_over_go_to_the_better_arm_whose_trial_fits() -> None:
    assert shares_by_hours({"dear": 3.0, "cheap": 1.0}, 1, 11.0) == {"dear": 3, "cheap": 2}
    assert shares_by_hours({"dear": 3.0, "cheap": 1.0}, 1, 10.0) == {"dear": 2, "cheap": 3}
    assert shares_by_hours({"dear": 3.0, "cheap": 1.0}, 2, 2.5) == {"dear": 0, "cheap": 1}  # not two of the cheap one


def test_hours_are_no_binary_fractions() -> None:
    """0.1 + 0.2 is more than 0.3 for a computer."""
    assert each_by_hours({"a": 0.1, "b": 0.2}, 1, 0.3) == 1
    assert each_by_hours({"a": 0.1}, 1, 0.3) == 3
    assert shares_by_hours({"a": 0.1, "b": 0.2}, 1, 0.4) == {"a": 2, "b": 1}


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="halving needs an arm"):
        number_of_rounds(0)
    for arms, rounds, trials in ((0, 1, 5), (3, 0, 5), (3, 1, -1)):
        with pytest.raises(ValueError, match="a round needs"):
            each(arms, rounds, trials)
    with pytest.raises(ValueError, match="a trial of lgd must cost more"):
        each_by_hours({"lgd": 0.0}, 1, 5.0)


def test_the_worse_half_goes() -> None:
    figures = {"a": 0.1, "b": 0.4, "c": 0.2, "d": 0.3, "e": 0.0}
    assert cut(figures, None) == (["b", "d", "c"], ["a", "e"])
    assert cut(figures, None, "min") == (["e", "a", "c"], ["d", "b"])
    assert cut({"a": 0.1}, None) == (["a"], [])
    assert cut({}, 0.1) == ([], [])


def test_who_lies_within_the_noise_of_the_cut_stays() -> None:
    figures = {"a": 0.400, "b": 0.397, "c": 0.394, "d": 0.3939}
    assert cut(figures, 0.003) == (
        ["a", "b", "c"],
        ["d"],
    )  # exactly one standard deviation is within; no chain from c to d
    assert cut(figures, 0.0029) == (["a", "b"], ["c", "d"])
    assert cut({arm: 1 - figure for arm, figure in figures.items()}, 0.003, "min") == (["a", "b", "c"], ["d"])


def test_equal_figures_stand_in_the_order_given() -> None:
    assert cut({"a": 0.4, "b": 0.4, "c": 0.4}, None) == (["a", "b"], ["c"])
    assert cut({"c": 0.4, "b": 0.4, "a": 0.4}, None) == (["c", "b"], ["a"])
    assert cut({"a": 0.4, "b": 0.4, "c": 0.4}, 0.0) == (
        ["a", "b", "c"],
        [],
    )  # noise is known to be nothing: a tie is one
    assert ranked({"a": 0.1, "b": 0.3, "c": 0.1}, "min") == ["a", "c", "b"]


def test_an_arm_without_a_figure_goes_first() -> None:
    assert cut({"a": None, "b": 0.1}, 100.0) == (["b"], ["a"])
    assert cut({"a": None, "b": 0.1}, 100.0, "min") == (["b"], ["a"])
    assert cut({"a": None, "b": None, "c": 0.1}, 100.0) == (["c", "a"], ["b"])
    assert cut({"a": None, "b": None, "c": None}, 100.0) == (["a", "b"], ["c"])
