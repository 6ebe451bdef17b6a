"""What the samplers make of how earlier trials ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from kdbench.search.proposals.ask import STARTUP_TRIALS, Ask, Past
from kdbench.search.proposals.proposing import propose
from kdbench.search.proposals.sampling import Sampling, reached
from kdbench.specs.space import Domain
from tests.unit.search.asks import DOMAINS, FIRST, ask, completed

LINE = {"x": Domain(uniform=(0, 1))}
SAMPLERS = ("optuna", "gp")


def line(algorithm: str, number: int, **changes: Any) -> Ask:
    return ask(**{"algorithm": algorithm, "number": number, "domains": LINE, "first": {"x": 0.5}, **changes})


def spread(count: int) -> list[float]:
    return [round((n + 0.5) / count, 4) for n in range(count)]


def proposed(question: Ask, past: Sequence[Past]) -> dict[str, Any]:
    values = propose(question, past)
    assert values is not None
    return values


def xs(algorithm: str, past: Sequence[Past], count: int, **changes: Any) -> list[float]:
    return [proposed(line(algorithm, 50 + n, **changes), past)["x"] for n in range(count)]


def flat(x: float) -> Past:
    """Values that hardly say where to look."""
    return completed({"x": x}, 0.3 + 0.001 * (int(x * 1000) % 7))


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_they_find_the_better_end(algorithm: str, mode: Any) -> None:
    past = [completed({"x": x}, x) for x in spread(12)]
    got = xs(algorithm, past, 3, mode=mode)
    assert all((x > 0.5) == (mode == "max") for x in got)


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_the_same_answer_again(algorithm: str) -> None:
    past = [completed({"x": x}, x) for x in spread(12)]
    got = xs(algorithm, past, 2)
    assert xs(algorithm, past, 2) == got
    assert algorithm == "gp" or got[0] != got[1]


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_where_it_is_infeasible_they_go_less(algorithm: str) -> None:
    """Out of memory in the upper half, without a value; nothing else tells the halves apart."""
    past = [flat(x) if x < 0.5 else Past({"x": x}, "infeasible", None) for x in spread(24)]
    got = xs(algorithm, past, 5 if algorithm == "gp" else 12)
    assert sum(x > 0.55 for x in got) <= len(got) // 5


def test_what_the_gaussian_process_is_told() -> None:
    """An infeasible or failed one has the mean beside its constraint, so that no figure around it suffers."""
    past = [
        completed({"x": 0.1}, 0.2),
        Past({"x": 0.2}, "infeasible", 0.01, {1: 0.01}),
        completed({"x": 0.3}, 0.4),
        Past({"x": 0.4}, "failed", None),
        Past({"x": 0.5}, None, 0.9, {1: 0.9}),
        Past({"x": 0.6}, "lost", 0.9, {1: 0.9}),
    ]
    told = Sampling(line("gp", 6), past).told
    assert [(t.state.name, t.value and round(t.value, 6), list(t.constraints.values())) for t in told] == [
        ("COMPLETE", 0.2, [-1.0]),
        ("COMPLETE", 0.3, [1.0]),
        ("COMPLETE", 0.4, [-1.0]),
        ("COMPLETE", 0.3, [1.0]),
        ("RUNNING", None, []),
    ]


def test_what_tpe_is_told() -> None:
    reports = {1: 0.1, 2: 0.2}
    ends = ("completed", "pruned", "failed", "lost", None)
    past = [Past({"x": 0.1}, end, 0.2, reports) for end in ends] + [Past({"x": 0.1}, None, 0.2, reports, paused=True)]
    states = ["COMPLETE", "PRUNED", "PRUNED", "PRUNED", "RUNNING", "PRUNED"]
    told = Sampling(line("optuna", 6), past).told
    assert [t.state.name for t in told] == states
    assert [t.intermediate_values for t in told[1:]] == [reports, {}, {}, reports, reports]
    assert not any(t.constraints for t in told)
    told = Sampling(line("optuna", 7), [*past, Past({"x": 0.1}, "infeasible", 0.2, reports)]).told
    assert [t.state.name for t in told] == [*states, "PRUNED"]
    assert [list(t.constraints.values()) for t in told] == [[-1.0]] * 6 + [[1.0]]


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_when_nothing_ever_fitted_values_are_proposed_all_the_same(algorithm: str) -> None:
    past = [Past({"x": x}, "infeasible", None) for x in spread(12)]
    assert all(0 <= x <= 1 for x in xs(algorithm, past, 2))


def test_tpe_takes_a_paused_trial_as_a_stopped_one_and_not_as_a_running_one() -> None:
    ended = [flat(x) for x in spread(8)]
    reports = {1: 0.9, 3: 0.95}
    paused = [Past({"x": x}, None, 0.95, reports, paused=True) for x in (0.11, 0.12, 0.13)]
    stopped = [dataclasses.replace(p, end="pruned", paused=False) for p in paused]
    running = [dataclasses.replace(p, paused=False) for p in paused]
    assert xs("optuna", [*ended, *paused], 3) == xs("optuna", [*ended, *stopped], 3)
    assert xs("optuna", [*ended, *paused], 3) != xs("optuna", [*ended, *running], 3)


def test_a_stopped_trial_would_have_gained_what_the_others_did() -> None:
    whole = [Past({}, "completed", 0.5, {1: 0.2, 2: 0.5}), Past({}, "completed", 0.25, {1: 0.15, 2: 0.25})]
    # From epoch 1 on they gained 0.3 and 0.1.
    assert reached(Past({}, "pruned", 0.1, {1: 0.1}), whole) == pytest.approx(0.3)
    assert reached(Past({}, None, 0.1, {1: 0.1}, paused=True), whole) == pytest.approx(0.3)
    assert reached(Past({}, "pruned", 0.1, {3: 0.1}), whole) == 0.1  # nobody else was asked at epoch 3
    assert reached(whole[0], whole) == 0.5
    for end in (None, "failed", "lost", "infeasible"):
        assert reached(Past({}, end, 0.1, {1: 0.1}), whole) is None
    assert reached(Past({}, "pruned", None), whole) is None
    assert reached(Past({}, "pruned", None, {1: float("nan")}), whole) is None


@pytest.mark.parametrize("end", ["pruned", "failed", "infeasible"])
def test_the_gaussian_process_does_not_insist_on_what_did_not_complete(end: str) -> None:
    """Optuna's looks at completed trials alone, and would propose the same place for ever."""
    past = [completed({"x": x}, 1 - (x - 0.7) ** 2) for x in spread(9)]
    first = xs("gp", past, 1)[0]
    assert first == pytest.approx(0.7, abs=0.06)
    reports = {1: 0.1} if end == "pruned" else {}
    again = [Past({"x": round(first + d, 3)}, end, None, reports) for d in (-0.02, 0, 0.02)]
    reporting = [dataclasses.replace(p, reports={1: 0.8 * (p.value or 0), 2: p.value or 0}) for p in past]
    assert abs(xs("gp", [*reporting, *again], 1)[0] - first) > 0.03


def test_the_gaussian_process_models_what_only_some_trials_need() -> None:
    """The temperature matters, and is there only with a head: proposals with a head have the right one."""
    past = []
    for n in range(24):
        head, temperature = (0.0 if n % 3 == 0 else 0.2 * n), (1, 2, 4)[n % 5 % 3]
        proposal = {**FIRST, "weight": 0.5 + 0.2 * n, "head": head, "temperature": temperature}
        if head == 0:
            del proposal["temperature"]
        past.append(completed(proposal, 0.5 if head == 0 else 0.1 + 0.2 * temperature))
    got = [proposed(ask(algorithm="gp", number=30 + n), past) for n in range(4)]
    assert all(values["head"] > 0 and values["temperature"] == 4 for values in got)


@pytest.mark.parametrize("algorithm", ["optuna", "gp", "random"])
def test_conditions_and_alternatives_hold(algorithm: str) -> None:
    past: list[Past] = []
    for number in range(STARTUP_TRIALS + 2):
        values = proposed(ask(algorithm=algorithm, number=number), past)
        assert set(values) - {"temperature"} == set(DOMAINS) - {"temperature"}
        assert ("temperature" in values) == (values["head"] > 0)
        assert all(DOMAINS[name].contains(value) for name, value in values.items())
        past.append(completed(values))
    assert {p.proposal["head"] > 0 for p in past} == {True, False}


@pytest.mark.parametrize(
    "foreign",
    [
        {"x": 7.0},
        {"y": 0.5},
        {},
        {"x": None},
        {"x": 0.5, "fixed": 2},
        {"x": 0.5, "unknown": 1},
    ],
)
def test_a_trial_that_is_none_of_the_space_is_not_told(foreign: dict[str, Any]) -> None:
    """A point by hand outside it, a study with another space, another value of what is not searched."""
    past = [completed({"x": x}, x) for x in spread(9)]
    changes: dict[str, Any] = {"fixed": {"fixed": 1}, "first": {"x": 0.5, "fixed": 1}}
    assert xs("optuna", [completed(foreign, 99.0), *past], 1, **changes) == xs("optuna", past, 1, **changes)
    assert len(Sampling(line("gp", 10, **changes), [completed(foreign, 99.0), *past]).told) == len(past)


@pytest.mark.parametrize("algorithm", SAMPLERS)
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_completed_trial_without_a_figure_does_no_harm(algorithm: str, value: float | None) -> None:
    past = [completed({"x": x}, x) for x in spread(9)]
    assert 0 <= xs(algorithm, [*past, Past({"x": 0.5}, "completed", value)], 1)[0] <= 1


def test_trials_of_another_study_inform_the_first_proposals() -> None:
    past = [completed({"x": x}, x) for x in spread(12)]
    assert proposed(line("optuna", 0), past) == {"x": 0.5}
    got = [proposed(line("optuna", number), past)["x"] for number in range(1, 7)]
    assert sum(x > 0.6 for x in got) >= 5
