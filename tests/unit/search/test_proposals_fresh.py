"""Two trials of an arm never have the same recipe, and a space ends where it ends."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kdbench.search.proposals.ask import Ask, Past
from kdbench.search.proposals.proposing import fresh, propose
from kdbench.specs.space import Domain
from tests.unit.search.asks import ask, completed, finite, recipe


def merit(values: dict[str, Any]) -> float:
    """Best at x."""
    return {"x": 0.9, "y": 0.5}.get(values["a"], 0.1) + 0.01 * values.get("b", 0)


def played(question: Ask, most: int, past: list[Past] | None = None) -> list[dict[str, Any]]:
    """Trials until the space is used up or there are `most`."""
    past = [] if past is None else past
    while len(past) < most:
        known = {recipe(p.proposal) for p in past}
        values = fresh(dataclasses.replace(question, number=len(past)), past, recipe, known)
        if values is None:
            break
        past.append(completed(values, merit(values)))
    return [p.proposal for p in past]


@pytest.mark.parametrize("algorithm", ["optuna", "random", "grid"])
def test_every_point_of_a_finite_space_is_tried_once(algorithm: str) -> None:
    got = played(finite(algorithm=algorithm), 50)
    assert len({recipe(p) for p in got}) == len(got)
    if algorithm == "grid":  # three points of a range, here 0, 1 and 3
        assert len(got) == 7
    else:
        assert sorted(map(recipe, got)) == sorted(
            [recipe({"a": a, "b": b}) for a in "xy" for b in range(4)] + [recipe({"a": "z"})]
        )


def test_where_the_gaussian_process_insists_the_rest_is_drawn() -> None:
    whole = [{"a": a, "b": b} for a in "xy" for b in range(4)]
    past = [completed(values, merit(values)) for values in whole]
    question = finite(algorithm="gp", number=8)
    insisted = propose(question, past)
    left = {"a": "y", "b": 3}
    assert insisted not in (None, left)
    known = {recipe(values) for values in [*whole, {"a": "z"}] if values != left}
    assert fresh(question, past, recipe, known) == left
    assert fresh(question, past, recipe, {*known, recipe(left)}) is None


def test_an_alternative_counts_as_a_point() -> None:
    domain = Domain.model_validate({"int": (2, 4), "or": 0})
    question = ask(domains={"a": domain}, first={"a": 2})
    known: set[str] = set()
    while (values := fresh(dataclasses.replace(question, number=len(known)), [], recipe, known)) is not None:
        known.add(recipe(values))
    assert sorted(known) == ['{"a":0}', '{"a":2}', '{"a":3}', '{"a":4}']


def test_a_space_with_a_range_ends_when_no_attempt_is_new() -> None:
    question = ask(number=5)
    asked: list[str] = []

    def resolve(proposal: dict[str, Any]) -> str:
        asked.append(recipe(proposal))
        return "always the same"

    assert fresh(question, [], resolve, {"always the same"}, attempts=7) is None
    assert len(asked) == len(set(asked)) == 1 + 7  # the published values and the attempts


def test_it_is_the_first_attempt_where_that_is_new() -> None:
    question = ask(number=5)
    first, second = propose(question, []), propose(question, [], 1)
    assert first is not None
    assert second is not None
    known = {recipe(question.point({}))}
    assert fresh(question, [], recipe, known) == first
    assert fresh(question, [], recipe, {*known, recipe(first)}) == second


@pytest.mark.parametrize("algorithm", ["optuna", "random", "grid"])
def test_points_come_next_also_when_they_are_added_late(algorithm: str) -> None:
    past: list[Past] = []
    question = finite(algorithm=algorithm, points=({"a": "y", "b": 2},))
    played(question, 4, past)
    late = dataclasses.replace(question, points=(*question.points, {"a": "q"}, {"a": "y", "b": 2}, {"b": 9}))
    got = played(late, 50, past)
    assert got[0 if algorithm == "grid" else 1] == {"a": "y", "b": 2}
    assert got[4:6] == [late.point({"a": "q"}), {"a": "x", "b": 9}]
    assert len({recipe(p) for p in got}) == len(got) == (7 + 3 if algorithm == "grid" else 9 + 2)


def test_going_on_from_any_trial_gives_the_same() -> None:
    question = finite(prior=0.5)
    whole: list[Past] = []
    played(question, 9, whole)
    for cut in range(9):
        assert played(question, 9, whole[:cut]) == [p.proposal for p in whole]
