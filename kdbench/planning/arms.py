"""The arms of a study: each method with its values and its space, checked against the task's detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.planning.requests import ALL, Request
from kdbench.specs.space import Domain, SpaceSpec, check_names, load_space
from kdbench.specs.study import BASELINE, Arm

if TYPE_CHECKING:
    from kdbench.methods.base import DetectorInfo, Method


@dataclass(frozen=True)
class Arms:
    """What is searched, and what of `all` is not: a line for each."""

    arms: tuple[Arm, ...]
    refused: tuple[str, ...] = ()


def plan_arms(request: Request, spaces: dict[str, SpaceSpec], student: DetectorInfo, teacher: DetectorInfo) -> Arms:
    """The arms of a request.

    Raises:
        InputError: a method that was named does not suit the detectors, a wrong value, or none of all suits.
    """
    found, refused = [], []
    for name in request.arms:
        if name == BASELINE:
            check_names(spaces[name], [], f"search space {request.space_of(name) or name}")
            registry.parse_params(BASELINE, request.own(name), "--set method.*")
            continue
        try:
            found.append(_arm(name, request, spaces.get(name), student, teacher))
        except InputError as error:
            if request.methods != (ALL,) or request.own(name) or request.space_of(name):
                raise
            refused.append(f"without {name}: {error}")
    if not found and request.methods == (ALL,):
        raise InputError(f"no method suits the task's detectors; the first says: {refused[0]}")
    return Arms(tuple(found), tuple(refused))


def _arm(name: str, request: Request, space: SpaceSpec | None, student: DetectorInfo, teacher: DetectorInfo) -> Arm:
    method, preset = registry.resolve(name)
    seen = teacher if method.needs_teacher else None
    space = space or load_space(method.name, request.space_of(name))
    check_names(space, list(method.Params.model_fields), f"search space {request.space_of(name) or method.name}")
    fixed = {**preset, **request.own(name)}
    defaults = {**method.Params().plain(), **method.default_params(student)}
    resolved = registry.parse_params(method.name, {**defaults, **fixed}, f"--set {name}.*")
    method.check(resolved, student, seen)
    values = resolved.plain()
    return Arm(
        name=name,
        method=method.name,
        taught=bool(method.needs_teacher),
        fixed={key: values[key] for key in fixed},
        space=_fitted(space, method, values, student, seen),
        defaults=values,
    )


def refit(arm: Arm, file: str, student: DetectorInfo, teacher: DetectorInfo) -> Arm:
    """The arm with the search space of a file.

    Raises:
        InputError: the file is none of its method, or has a parameter that the method lacks.
    """
    method = registry.get(arm.method)
    space = load_space(arm.method, file)
    check_names(space, list(method.Params.model_fields), f"search space {file}")
    seen = teacher if method.needs_teacher else None
    return arm.model_copy(update={"space": _fitted(space, method, arm.defaults, student, seen)})


def _where_searched(domain: Domain, values: dict[str, Any]) -> dict[str, Any]:
    """The default values, but for those that have to be others for the domain to be searched at all."""
    found = dict(values)
    for name, condition in domain.when.items():
        if name in found and not isinstance(condition, dict):
            found[name] = condition[0] if isinstance(condition, list) else condition
    return found


def _fitted(
    space: SpaceSpec, method: type[Method], values: dict[str, Any], student: DetectorInfo, teacher: DetectorInfo | None
) -> SpaceSpec:
    """The space for these detectors: without choices that the method refuses, relative ranges times the default value.

    So no trial is spent on what cannot be, and one file serves detectors whose published values differ.
    """

    def accepted(name: str, value: Any) -> bool:
        others = _where_searched(space.params[name], values)
        try:
            method.check(method.Params.parse({**others, name: value}, space.method), student, teacher)
        except InputError:
            return False
        return True

    params = {}
    for name, domain in space.params.items():
        if domain.choice is not None:
            kept = tuple(value for value in domain.choice if accepted(name, value))
            if not kept:
                continue
            domain = domain.model_copy(update={"choice": kept})
        params[name] = domain.times(float(values[name])) if domain.relative else domain
    return space.model_copy(update={"params": params})
