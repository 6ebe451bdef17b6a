"""Who gets the next seed. Student's two-sided limits at 5 %: 4.30 with two degrees of freedom (6.21 at 2.5 %), 3.18 with three."""

from __future__ import annotations

import random
from typing import Literal

import pytest

from kdbench.search.arms.race import Standing, Stop, standing

LEADER = [0.40, 0.42, 0.41]
CLEAR = [0.050, 0.060, 0.055]
"""Differences with t = 0.055 / (0.005 / sqrt 3) = 19.1."""
OPEN = [0.00, 0.06, 0.03]
"""Differences with t = 0.03 / (0.03 / sqrt 3) = 1.73."""
HALF = [0.02, 0.03, 0.04]
"""Differences with t = 0.03 / (0.01 / sqrt 3) = 5.20: p = 0.035, not enough when corrected for two."""


def seeds(values: list[float]) -> dict[int, float | None]:
    return dict(enumerate(values, 1))


def below(differences: list[float], top: list[float] = LEADER) -> dict[int, float | None]:
    return seeds([value - less for value, less in zip(top, differences, strict=True)])


def test_before_the_first_round_everybody_goes() -> None:
    assert standing({"pkd": {}, "none": {}}, "none", most=3) == Standing(0, None, ("pkd", "none"), {})


def test_nobody_stops_before_the_least_number_of_seeds() -> None:
    figures = {"pkd": seeds([0.5, 0.5]), "cwd": seeds([0.1, 0.1]), "none": seeds([0.1, 0.1])}
    assert standing(figures, "none", most=9) == Standing(2, "pkd", ("pkd", "cwd", "none"), {})


def test_who_is_clearly_behind_stops_and_who_is_open_goes_on() -> None:
    figures = {"cwd": below(CLEAR), "none": below(OPEN), "pkd": seeds(LEADER)}
    assert standing(figures, "none", most=9) == Standing(
        3, "pkd", ("none", "pkd"), {"cwd": Stop("behind the leader", 3)}
    )


def test_where_lower_is_better_the_lowest_leads() -> None:
    figures = {"cwd": below([-less for less in CLEAR]), "none": below([-less for less in OPEN]), "pkd": seeds(LEADER)}
    found = standing(figures, "none", mode="min", most=9)
    assert found == Standing(3, "pkd", ("none", "pkd"), {"cwd": Stop("behind the leader", 3)})


def test_all_stop_when_only_the_leader_is_left_and_its_verdict_is_settled() -> None:
    figures = {"pkd": seeds(LEADER), "cwd": below(CLEAR), "none": below(CLEAR)}
    settled = Stop("settled", 3)
    stopped = {"cwd": Stop("behind the leader", 3), "pkd": settled, "none": settled}
    assert standing(figures, "none", most=9) == Standing(3, "pkd", (), stopped)


def test_a_leader_that_is_worse_than_the_baseline_is_settled_too() -> None:
    figures = {"pkd": below(CLEAR), "none": seeds(LEADER)}
    assert standing(figures, "none", most=9).stopped == {"pkd": Stop("settled", 3), "none": Stop("settled", 3)}


def test_a_settled_leader_runs_on_beside_one_whose_order_is_open() -> None:
    """And so does the baseline, that pairs stay pairs."""
    figures = {"pkd": seeds(LEADER), "cwd": below(OPEN), "none": below([0.2, 0.21, 0.22])}
    assert standing(figures, "none", most=9).going == ("pkd", "cwd", "none")


def test_orders_are_corrected_for_all_that_are_compared_with_the_leader() -> None:
    """p = 0.035 parts one from the leader; beside another one, Holm asks for less than 0.025 first."""
    one = {"pkd": seeds(LEADER), "cwd": below(HALF), "none": below(OPEN)}
    assert standing(one, "none", most=9).stopped == {"cwd": Stop("behind the leader", 3)}
    assert standing({**one, "fgd": below(OPEN)}, "none", most=9).stopped == {}
    assert standing({**one, "fgd": below(CLEAR)}, "none", most=9).stopped.keys() == {"cwd", "fgd"}


def test_a_lower_level_asks_more_of_a_stop() -> None:
    """0.035 for the one behind; t = 19.1 is a p of 0.0027."""
    figures = {"pkd": seeds(LEADER), "cwd": below(HALF), "none": below(OPEN)}
    assert standing(figures, "none", most=9, level=0.01).stopped == {}
    clear = {"pkd": seeds(LEADER), "none": below(CLEAR)}
    assert standing(clear, "none", most=9, level=0.01).going == ()
    assert standing(clear, "none", most=9, level=0.002).going == ("pkd", "none")


def test_the_verdict_is_that_of_the_leaderboard_over_all_finalists() -> None:
    """With a p of 0.035 alone it is settled; a finalist that stopped still belongs to the family, and makes it 0.07."""
    alone = {"pkd": seeds(LEADER), "none": below(HALF)}
    assert standing(alone, "none", most=9).going == ()
    assert standing({**alone, "cwd": below(CLEAR)}, "none", most=9).going == ("pkd", "none")


def test_at_the_end_everybody_has_all_seeds() -> None:
    figures = {"pkd": seeds(LEADER), "cwd": below(OPEN), "fgd": below(CLEAR), "none": below(OPEN)}
    has_all = Stop("has all 3 seeds", 3)
    stopped = {"fgd": Stop("behind the leader", 3), "pkd": has_all, "cwd": has_all, "none": has_all}
    assert standing(figures, "none", most=3) == Standing(3, "pkd", (), stopped)
    assert standing(figures, "none", most=4).going == ("pkd", "cwd", "none")  # extended by a seed, it goes on


def test_fewer_seeds_than_the_least_are_all_there_are() -> None:
    figures = {"pkd": seeds([0.4, 0.5]), "none": seeds([0.3, 0.5])}
    assert standing(figures, "none", most=2).stopped == {
        "pkd": Stop("has all 2 seeds", 2),
        "none": Stop("has all 2 seeds", 2),
    }
    assert standing({"pkd": {1: 0.4}}, None, most=1).stopped == {
        "pkd": Stop("settled", 1)
    }  # nothing to compare it with


def test_who_stopped_does_not_come_back() -> None:
    """After the fourth seed the leader's mean, 0.3075, is below the 0.355 that the other had after three."""
    three = {"pkd": seeds(LEADER), "cwd": below(CLEAR), "none": below(OPEN)}
    figures = {**three, "pkd": seeds([*LEADER, 0.0]), "none": below([*OPEN, 0.0], [*LEADER, 0.0])}
    assert standing(figures, "none", most=9) == Standing(
        4, "pkd", ("pkd", "none"), {"cwd": Stop("behind the leader", 3)}
    )


def test_a_round_counts_when_everyone_has_its_seed() -> None:
    """Until then, and in whatever order figures come, the answer is that of the round before."""
    figures = {"pkd": seeds(LEADER), "cwd": below(OPEN), "none": below(OPEN)}
    whole = standing(figures, "none", most=9)
    figures["cwd"][4] = 0.1
    assert standing(figures, "none", most=9) == whole
    figures["pkd"][4] = None
    assert standing(figures, "none", most=9) == whole
    figures["none"][4] = 0.1
    assert standing(figures, "none", most=9).stopped == {"pkd": Stop("failed", 3)}


def test_a_failed_seed_takes_its_recipe_out_and_blocks_nobody() -> None:
    figures = {"pkd": {1: 0.40, 2: None}, "cwd": seeds([0.3, 0.3]), "fgd": seeds([0.2, 0.2]), "none": seeds([0.1, 0.1])}
    assert standing(figures, "none", most=9) == Standing(2, "cwd", ("cwd", "fgd", "none"), {"pkd": Stop("failed", 1)})
    first = {"pkd": {1: None}, "cwd": seeds(LEADER), "none": below(CLEAR)}  # no figure at all: nothing to compare
    assert standing(first, "none", most=9).stopped == {
        "pkd": Stop("failed", 0),
        "cwd": Stop("settled", 3),
        "none": Stop("settled", 3),
    }


def test_without_its_baseline_the_race_is_about_the_order() -> None:
    figures: dict[str, dict[int, float | None]] = {"pkd": seeds(LEADER), "cwd": below(OPEN), "none": {1: 0.3, 2: None}}
    assert standing(figures, "none", most=9).going == ("pkd", "cwd")
    figures["cwd"] = below(CLEAR)
    found = {"none": Stop("failed", 1), "cwd": Stop("behind the leader", 3), "pkd": Stop("settled", 3)}
    assert standing(figures, "none", most=9) == Standing(3, "pkd", (), found)


def test_when_all_others_failed_the_baseline_gets_its_least_seeds() -> None:
    figures: dict[str, dict[int, float | None]] = {"pkd": {1: None}, "none": seeds([0.3, 0.3])}
    assert standing(figures, "none", most=9) == Standing(2, None, ("none",), {"pkd": Stop("failed", 0)})
    figures["none"] = seeds([0.3, 0.3, 0.3])
    assert standing(figures, "none", most=9).stopped["none"] == Stop("settled", 3)


def test_without_a_baseline_among_the_finalists() -> None:
    figures = {"pkd": seeds(LEADER), "cwd": below(OPEN), "fgd": below(CLEAR)}
    assert standing(figures, None, most=9) == Standing(3, "pkd", ("pkd", "cwd"), {"fgd": Stop("behind the leader", 3)})
    assert standing({"pkd": seeds(LEADER)}, None, most=9) == Standing(3, "pkd", (), {"pkd": Stop("settled", 3)})


def test_equal_recipes_stay_open_and_the_first_leads() -> None:
    figures = {"cwd": seeds(LEADER), "pkd": seeds(LEADER)}
    assert standing(figures, None, most=9) == Standing(3, "cwd", ("cwd", "pkd"), {})


@pytest.mark.parametrize("mode", ["max", "min"])
def test_asked_at_any_moment_the_race_takes_the_same_course(mode: Literal["max", "min"]) -> None:
    """Twenty races of five with noise and failures, each seed's trainings ended in random order."""
    lengths = set()
    for number in range(20):
        draw = random.Random(f"{mode} {number}")
        heights = {name: draw.uniform(0.3, 0.32) for name in ("none", "a", "b", "c", "d")}
        figures: dict[str, dict[int, float | None]] = {name: {} for name in heights}
        asked = standing(figures, "none", mode=mode, most=8)
        stopped: dict[str, Stop] = {}
        while asked.going:
            assert all(len(figures[name]) == asked.seeds for name in asked.going)
            seed = 1 + asked.seeds
            for name in draw.sample(asked.going, len(asked.going)):
                assert standing(figures, "none", mode=mode, most=8) == asked
                figures[name][seed] = None if draw.random() < 0.02 else heights[name] + draw.gauss(0, 0.003)
            asked = standing(figures, "none", mode=mode, most=8)
            assert asked.seeds == seed
            assert stopped.items() <= asked.stopped.items()
            stopped = asked.stopped
        assert stopped.keys() == heights.keys()
        shuffled = {name: dict(draw.sample(sorted(values.items()), len(values))) for name, values in figures.items()}
        assert standing(shuffled, "none", mode=mode, most=8) == asked
        lengths.add(asked.seeds)
    assert len(lengths) > 2  # races that end early and late


def test_what_is_no_race_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a seed"):
        standing({"pkd": {}}, None, most=0)
    for level in (0.0, 0.1):
        with pytest.raises(ValueError, match="at most 0.05"):
            standing({"pkd": {}}, None, most=3, level=level)
    with pytest.raises(ValueError, match="the baseline none is not among the finalists: pkd, cwd"):
        standing({"pkd": {}, "cwd": {}}, "none", most=3)
