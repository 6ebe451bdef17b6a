"""Values by hand for a study that is there, looked at before they are written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from kdbench.errors import InputError, brief, did_you_mean
from kdbench.methods import registry
from kdbench.search.proposals.of_study import ask_of
from kdbench.search.queue import Queue
from kdbench.specs.reading import key_value
from kdbench.specs.space import choose
from kdbench.specs.study import BASELINE, StudyPlan
from kdbench.specs.task import TrainingKey

RATE = "training.lr"


def enqueue_point(plan: StudyPlan, folder: Path, given: Sequence[str]) -> list[str]:
    """Append a point to the study's queue.

    Args:
        given: KEY=VALUE each; a method's name first where there are several. `training.lr` is a factor of the task's.

    Returns:
        What was taken, and what of it lies outside the search space.

    Raises:
        InputError: nothing given, no such method or parameter, or a value that the method or the schedule refuses.
    """
    arm, texts = _arm_of(plan, list(given))
    entry = plan.arm(arm)
    assert entry is not None
    values = dict(key_value(text, "", "training.lr=1.5") for text in texts)
    domains = plan.domains(arm)
    known = list(dict.fromkeys([*entry.defaults, *domains, *(f"training.{key}" for key in get_args(TrainingKey))]))
    for key in values:
        if key not in known:
            raise InputError(f"{brief(key)[1:-1]}: {arm} has no such value to set; {did_you_mean(key, known)}")
        if key in entry.fixed:
            raise InputError(f"{key}: the study fixes it to {entry.fixed[key]!r}; leave it out")
    _check_rate(values)
    ask = ask_of(plan, arm, 1)
    proposal = ask.point(values)
    own = {key: value for key, value in proposal.items() if not key.startswith("training.")}
    registry.parse_params(entry.method, {**entry.defaults, **entry.fixed, **own}, f"values for {arm}")
    plan.recipe(arm, proposal, plan.seed)
    Queue(folder).add(arm, proposal)
    # What the search would vary beside these values: head weights of a two-stage detector, say, are no part of one stage's.
    varied = choose(domains, entry.fixed, {**ask.context, **values}, lambda name, _: values.get(name, ask.first[name]))
    outside = [key for key, value in values.items() if key not in varied or not domains[key].contains(value)]
    lines = [f"{arm} tries next: " + ", ".join(f"{key}={value}" for key, value in proposal.items())]
    return [*lines, f"outside the search space: {', '.join(outside)}"] if outside else lines


def _check_rate(values: dict[str, Any]) -> None:
    """Refuse a learning rate that is none in the user's own words: the schedule sees only its product with the task's."""
    rate = values.get(RATE, 1.0)
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or rate <= 0:
        raise InputError(f"{RATE} {brief(rate)}: must be a number above 0, a factor of the task's learning rate")


def _arm_of(plan: StudyPlan, given: list[str]) -> tuple[str, list[str]]:
    """The arm that the values are for."""
    names = [arm.name for arm in plan.arms]
    if not names:
        raise InputError(f"study {plan.study} searches {BASELINE} alone; there is no method to try values of")
    if not given:
        raise InputError("no values; give KEY=VALUE, e.g. training.lr=1.5")
    if "=" not in given[0]:
        if given[0] == BASELINE:
            raise InputError(
                f"{BASELINE} is the baseline, which takes no values by hand; name a method: {', '.join(names)}"
            )
        if given[0] in plan.domains(names[0]) and len(names) == 1:
            raise InputError(f"{given[0]}: has no value; give {given[0]}=VALUE")
        if given[0] not in names:
            raise InputError(f"study {plan.study} has no method {brief(given[0])}; {did_you_mean(given[0], names)}")
        if len(given) == 1:
            raise InputError(f"no values for {given[0]}; give KEY=VALUE")
        return given[0], given[1:]
    if len(names) > 1:
        raise InputError(f"study {plan.study} has several methods; say which, e.g. {names[0]} {brief(given[0])[1:-1]}")
    return names[0], given
