"""A search space: domains of a method's parameters and of the shared training values, with conditions.

A domain is one of

    {uniform: [low, high]}      {loguniform: [low, high]}      {int: [low, high]}      {choice: [a, b, c]}

and may say `when: {other: condition}` (searched only if another value, or `detector`, meets it: a plain value, a
list of values, or {above: x}), `or: v` (the plain value v as an alternative to the range), `at_most: other` (lowered to
the value of a parameter that stands above it) and `relative: true` (the number is a factor of the task's own value, or
of a method parameter's published value for the detector).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from kdbench.errors import InputError, did_you_mean
from kdbench.specs import resources
from kdbench.specs.base import Spec

Pick = Callable[[str, "Domain"], Any]
"""Chooses a value of a domain: (name, domain) -> value."""


class Domain(Spec):
    """The values that one parameter may take: exactly one of uniform, loguniform, int and choice.

    Attributes:
        uniform: a range, [low, high].
        loguniform: a range in which every factor is as likely, [low, high].
        int_: whole numbers, [low, high].
        choice: a list of values.
        or_: a plain value as an alternative to the range.
        at_most: another parameter that stands above: the value is lowered to that one's.
        relative: the number is a factor of the task's own value, or of a method parameter's published value.
        when: searched only if other values, or `detector`, are so: a plain value, a list of values, or {above: x}.
    """

    uniform: tuple[float, float] | None = None
    loguniform: tuple[float, float] | None = None
    int_: tuple[int, int] | None = Field(None, alias="int")
    choice: tuple[Any, ...] | None = None
    or_: Any = Field(None, alias="or")
    at_most: str | None = None
    relative: bool = False
    when: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Domain:
        given = [k for k in ("uniform", "loguniform", "int_", "choice") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError("a domain needs exactly one of uniform, loguniform, int, choice")
        bounds = getattr(self, given[0])
        if given[0] == "choice":
            if not bounds:
                raise ValueError("a choice needs at least one value")
            if self.or_ is not None:
                raise ValueError("'or' goes with a range; add the value to the choice instead")
            if self.at_most is not None:
                raise ValueError("'at_most' goes with a range")
        elif bounds[0] >= bounds[1]:
            raise ValueError(f"the lower bound {bounds[0]} is not below the upper bound {bounds[1]}")
        elif given[0] == "loguniform" and bounds[0] <= 0:
            raise ValueError("loguniform needs bounds above 0")
        return self

    def grid(self) -> list[Any]:
        """The values a grid search tries: every choice; three points of a range, spaced as the range is."""
        if self.choice is not None:
            return list(self.choice)
        if self.int_ is not None:
            points: list[Any] = sorted({self.int_[0], sum(self.int_) // 2, self.int_[1]})
        elif self.loguniform is not None:
            low, high = self.loguniform
            points = [low, float(f"{math.sqrt(low * high):.4g}"), high]
        else:
            assert self.uniform is not None
            points = [self.uniform[0], sum(self.uniform) / 2, self.uniform[1]]
        return ([self.or_] if self.or_ is not None else []) + points

    def times(self, value: float) -> Domain:
        """The absolute range of a relative one."""
        scaled = {
            kind: tuple(float(f"{bound * value:.6g}") for bound in bounds)
            for kind in ("uniform", "loguniform")
            if (bounds := getattr(self, kind)) is not None
        }
        return self.model_copy(update={**scaled, "relative": False})

    def contains(self, value: Any) -> bool:
        """Whether the search could propose this value."""
        if self.choice is not None:
            return any(_same(value, option) for option in self.choice)
        if self.or_ is not None and _same(value, self.or_):
            return True
        low, high = self.uniform or self.loguniform or self.int_ or (0, 0)
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    def option(self, value: Any) -> Any:
        """The choice that equals a value (1 and 1.0 are the same); the value itself where none does."""
        return next((option for option in self.choice or () if _same(value, option)), value)


class SpaceSpec(Spec):
    """A file of search_spaces: parameter name -> domain, in the order in which they are chosen.

    Attributes:
        method: the method that the space is for.
        params: names of its parameters, each with its domain.
    """

    method: str
    params: dict[str, Domain] = {}


def load_space(method: str, given: str | None = None) -> SpaceSpec:
    """The space of a method: the shipped one, a file the user gave, or an empty one for a method without a file.

    Raises:
        InputError: broken file, unknown key, or a file for another method.
    """
    if given is None:
        if method not in resources.names("search_spaces"):
            return SpaceSpec(method=method)
        path = resources.find("search_spaces", method, "search space")
    else:
        path = resources.find("search_spaces", given, "search space")
    space = SpaceSpec.load(path)
    if space.method != method:
        raise InputError(
            f"{path}: is a space of method {space.method!r}, not of {method!r}; give --space the right file"
        )
    return space


def training_space(names: tuple[str, ...]) -> dict[str, Domain]:
    """Those domains of search_spaces/_training.yaml that a task searches."""
    if not names:
        return {}
    path: Path = resources.folder("search_spaces") / "_training.yaml"
    shared = _shared(path)
    for name in names:
        if name not in shared:
            raise InputError(f"{path}: has no training value {name!r}; {did_you_mean(name, shared)}")
    return {name: shared[name] for name in names}


@lru_cache
def _shared(path: Path) -> dict[str, Domain]:
    """Read once: a study asks for it at every trial."""
    return SpaceSpec.load(path).params


def check_names(space: SpaceSpec, known: list[str], where: str) -> None:
    """Refuse a space with a parameter, or a condition on one, that the method does not have."""
    for number, (name, domain) in enumerate(space.params.items()):
        limits = [domain.at_most] if domain.at_most is not None else []
        for key in (name, *domain.when, *limits):
            if key not in known and key != "detector":
                raise InputError(f"{where}: method {space.method} has no parameter {key!r}; {did_you_mean(key, known)}")
        if limits and limits[0] in list(space.params)[number:]:
            raise InputError(f"{where}: {name} is at_most {limits[0]}, which has to stand above it")


def choose(domains: dict[str, Domain], fixed: dict[str, Any], context: dict[str, Any], pick: Pick) -> dict[str, Any]:
    """Choose a value for each domain whose condition holds, in order.

    Args:
        fixed: values that are not searched; a name in it is left out.
        context: what conditions may ask for besides: defaults of parameters, and `detector`.
        pick: the searcher's choice.
    """
    values: dict[str, Any] = {}
    seen = {**context, **fixed}
    for name, domain in domains.items():
        if name not in fixed and _applies(domain, seen):
            values[name] = seen[name] = _limited(domain, pick(name, domain), seen)
    return values


def grid_points(domains: dict[str, Domain], fixed: dict[str, Any], context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every point of the grid once, conditions respected; the last domain varies fastest."""
    names = [name for name in domains if name not in fixed]

    def extend(index: int, point: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(names):
            yield point
            return
        name, seen = names[index], {**context, **fixed, **point}
        if _applies(domains[name], seen):
            for value in _grid(domains[name], seen):
                yield from extend(index + 1, {**point, name: value})
        else:
            yield from extend(index + 1, point)

    return extend(0, {})


def _grid(domain: Domain, seen: dict[str, Any]) -> list[Any]:
    values = domain.grid()
    return values if domain.at_most is None else list(dict.fromkeys(_limited(domain, v, seen) for v in values))


def _limited(domain: Domain, value: Any, seen: dict[str, Any]) -> Any:
    limit = seen.get(domain.at_most) if domain.at_most is not None else None
    return value if limit is None or value is None else min(value, limit)


def _applies(domain: Domain, seen: dict[str, Any]) -> bool:
    return all(_holds(seen.get(other), condition) for other, condition in domain.when.items())


def _holds(value: Any, condition: Any) -> bool:
    if isinstance(condition, dict):
        return value is not None and "above" in condition and value > condition["above"]
    if isinstance(condition, list):
        return any(_same(value, option) for option in condition)
    return _same(value, condition)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return list(a) == list(b)
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)
