"""Start-up proposals around the published values, and those that come before the sampler."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from kdbench.search.proposals.ask import STARTUP_TRIALS
from kdbench.search.proposals.prior import around, is_prior, nearest
from kdbench.search.proposals.proposing import propose
from kdbench.specs.space import Domain
from tests.unit.search.asks import FIRST, ask, completed

DRAWS = 2000


def drawn(domain: Domain, published: Any) -> list[Any]:
    question = ask(domains={"x": domain}, first={"x": published})
    return [around(question, seed)["x"] for seed in range(DRAWS)]


def share(values: list[Any], low: float, high: float) -> float:
    return sum(low <= value <= high for value in values) / len(values)


def test_a_loguniform_value_lies_within_a_factor_of_two_as_a_log_normal_does() -> None:
    values = drawn(Domain(loguniform=(1e-4, 1e4)), 3.0)
    assert share(values, 1.5, 6.0) == pytest.approx(0.683, abs=0.03)
    assert share(values, 0.75, 12.0) == pytest.approx(0.954, abs=0.02)
    assert share(values, 0.0, 3.0) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("kind", ["uniform", "int"])
def test_a_uniform_and_a_whole_value_lie_within_fifteen_hundredths_of_the_range(kind: str) -> None:
    values = drawn(Domain.model_validate({kind: (0, 1000)}), 400)
    assert share(values, 250, 550) == pytest.approx(0.683, abs=0.03)
    assert {type(value) for value in values} == {int if kind == "int" else float}


@pytest.mark.parametrize("kind", ["uniform", "loguniform", "int"])
@pytest.mark.parametrize(("published", "end"), [(1, 1), (0.001, 1), (10, 10), (10_000, 10)])
def test_a_published_value_at_or_outside_an_end_counts_as_that_end(kind: str, published: float, end: int) -> None:
    domain = Domain.model_validate({kind: (1, 10)})
    values = drawn(domain, published)
    assert all(domain.contains(value) for value in values)
    assert sum(abs(value - end) < 4.5 for value in values) > (0.55 if kind == "loguniform" else 0.95) * DRAWS
    assert kind == "int" or values.count(end) < 0.02 * DRAWS, "draws pile up at the end"


def test_the_published_choice_has_probability_one_half() -> None:
    values = drawn(Domain(choice=("a", "b", "c")), "b")
    assert [values.count(option) / DRAWS for option in "abc"] == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_choices_that_equal_as_python_sees_it_are_told_apart() -> None:
    values = drawn(Domain(choice=(1, True)), True)
    assert sum(value is True for value in values) / DRAWS == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("published", "nearest_one"), [(3, 2), (9.0, 8), (2.0, 2)])
def test_of_a_published_number_that_is_no_choice_the_nearest_counts(published: float, nearest_one: int) -> None:
    values = drawn(Domain(choice=(1, 2, 8)), published)
    assert values.count(nearest_one) / DRAWS == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("published", ["c", None, True])
def test_where_no_choice_is_near_all_are_as_likely(published: Any) -> None:
    values = drawn(Domain(choice=("a", "b")), published)
    assert values.count("a") / DRAWS == pytest.approx(0.5, abs=0.03)


def test_the_only_choice_is_taken() -> None:
    assert set(drawn(Domain(choice=("a",)), "a")) == {"a"}


def test_an_alternative_to_a_range_has_half_of_the_draws() -> None:
    domain = Domain.model_validate({"loguniform": (0.1, 10), "or": 0})
    off, on = drawn(domain, 0.0), drawn(domain, 5.0)
    assert [values.count(0.0) / DRAWS for values in (off, on)] == pytest.approx([0.5, 0.5], abs=0.03)
    # Where off is published nothing in the range is; where a value is, the range is drawn around it.
    assert share([v for v in off if v], 0.1, 1) == pytest.approx(0.5, abs=0.05)
    assert share([v for v in on if v], 2.5, 10) > 0.75


def test_nearest_keeps_what_is_inside() -> None:
    domain = Domain(uniform=(0, 1))
    assert [nearest(domain, v) for v in (0.25, 3, -1, "a", None)] == [0.25, 1, 0, None, None]


def test_conditions_and_fixed_values_hold() -> None:
    for seed in range(50):
        values = around(ask(fixed={"decay": "none"}), seed)
        assert ("temperature" in values) == (values["head"] > 0)
        assert "decay" not in values


@pytest.mark.parametrize(
    ("part", "numbers"), [(0.5, [1, 3, 5, 7]), (0.25, [1, 5]), (1.0, [1, 2, 3, 4, 5, 6, 7]), (0.0, [])]
)
@pytest.mark.parametrize("algorithm", ["optuna", "random", "gp"])
def test_a_share_of_the_start_up_proposals_and_no_other_is_drawn_around(
    algorithm: str, part: float, numbers: list[int]
) -> None:
    assert [n for n in range(1, STARTUP_TRIALS) if is_prior(n, part)] == numbers
    changed = []
    for number in range(12):
        question = ask(algorithm=algorithm, number=number)
        known = [completed({**FIRST, "weight": 1.0 + n}) for n in range(number)] if algorithm != "gp" else []
        if propose(dataclasses.replace(question, prior=part), known) != propose(question, known):
            changed.append(number)
    assert [n for n in changed if n < STARTUP_TRIALS] == numbers
    assert algorithm == "gp" or changed == numbers  # gp was told nothing here: all of its proposals are start-up ones


def test_what_is_told_from_another_study_ends_the_start_up() -> None:
    known = [completed({**FIRST, "weight": 1.0 + n}) for n in range(STARTUP_TRIALS)]
    assert propose(ask(number=1, prior=1.0), known) == propose(ask(number=1), known)
    assert propose(ask(number=1, prior=1.0), known[1:]) != propose(ask(number=1), known[1:])


@pytest.mark.parametrize("algorithm", ["optuna", "gp", "random"])
def test_the_published_values_come_first_and_points_in_their_order(algorithm: str) -> None:
    published = {k: v for k, v in FIRST.items() if k != "temperature"}
    points = ({"weight": 5.0}, {"head": 2.0}, {"weight": 1e6, "other": 1})
    got = [propose(ask(algorithm=algorithm, number=n, points=points), []) for n in range(5)]
    assert got[:4] == [
        published,
        {**published, "weight": 5.0},
        {**published, "head": 2.0, "temperature": 1.0},
        {**published, "weight": 1e6, "other": 1},
    ]
    assert got[4] == propose(ask(algorithm=algorithm, number=4), [])


def test_a_point_may_set_what_is_fixed() -> None:
    question = ask(fixed={"head": 0.0}, points=({"head": 1.0},), number=1)
    got = propose(question, [])
    assert got is not None
    assert (got["head"], got["temperature"]) == (1.0, 1.0)


def test_a_grid_begins_with_its_points() -> None:
    question = ask(algorithm="grid", domains={"x": Domain(choice=(1, 2))}, first={"x": 7}, points=({}, {"x": 9}))
    got = [propose(dataclasses.replace(question, number=n), []) for n in range(5)]
    assert got == [{"x": 7}, {"x": 9}, {"x": 1}, {"x": 2}, None]


def test_another_attempt_gives_another_value_and_the_same_again() -> None:
    question = ask(number=3)
    values = [propose(question, [], attempt) for attempt in range(8)]
    assert values == [propose(question, [], attempt) for attempt in range(8)]
    assert len({v["weight"] for v in values if v}) == 8
    assert all(v is not None and math.isfinite(v["weight"]) for v in values)
