"""More for a study that is there: what `kdbench extend` asks for, checked, as changes of its plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdbench.data import Prepared
from kdbench.detectors import teachers
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.planning.arms import plan_arms, refit
from kdbench.planning.numbers import check_machine, check_numbers
from kdbench.planning.requests import ALL, Request, check_arms
from kdbench.planning.resolving import look_at_models
from kdbench.planning.trying import Attempts
from kdbench.specs.space import load_space
from kdbench.specs.study import BASELINE, Resources, StudyPlan


def extension(
    plan: StudyPlan,
    data: Prepared,
    storage: Path,
    address: str | None,
    *,
    trials: int | None = None,
    hours: float | None = None,
    seeds: int | None = None,
    finalists: int | None = None,
    add: Sequence[str] = (),
    space: Sequence[str] = (),
    resources: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The keys of the plan that change, with their new values.

    Args:
        trials, hours: on top of what the study had; trials of a study of the baseline alone are the baseline's.
        seeds, finalists: the new numbers; finalists above the number of methods are all of them.
        add: methods that join.
        space: METHOD=FILE, or FILE where there is one method: a new search space for a method that is there or joins.
        resources: keys of `Resources`.

    Raises:
        InputError: nothing was asked for, something is wrong, or the machine has not the resources.
    """
    given = {"trials": trials, "hours": hours, "finalists": finalists, "seeds": 1 if seeds is None else seeds}
    request = Request.parse({**given, "methods": add or (BASELINE,), "space": space, "seed": plan.seed}, "extend")
    check_numbers(request)
    changes: dict[str, Any] = {}
    if trials is not None:
        if plan.trials is None:
            raise InputError(f"--trials: study {plan.study} has a budget of hours alone; give --hours")
        changes["trials"] = plan.trials + trials
    if hours is not None:
        if plan.hours is None:
            raise InputError(f"--hours: study {plan.study} has a budget of trials alone; give --trials")
        changes["hours"] = plan.hours + hours
    for key, value in (("seeds", seeds), ("finalists", finalists)):
        if value is not None:
            if key == "seeds" and value < plan.seeds:
                raise InputError(f"--seeds {value}: the study has {plan.seeds} already; give more")
            changes[key] = value
    if resources:
        changes["resources"] = Resources.parse({**plan.resources.model_dump(), **resources}, "--set").model_dump()
    names = request.methods if add else ()
    own = tuple(file for file in request.space if file.partition("=")[0] in names)
    others = tuple(file for file in request.space if file not in own)
    arms = [arm.model_dump(mode="json", by_alias=True) for arm in plan.arms]
    if others:
        arms = _with_spaces(plan, data, others)
    if names:
        joined, more = _joined(plan, data, names, own, storage, address)
        arms += joined
        changes |= more
    if request.space or names:
        changes["arms"] = arms
    if trials is not None and not plan.arms and not names:
        changes["task"] = _with_more_of_the_baseline(plan, trials)
    if not changes:
        raise InputError("nothing to add; give --trials, --hours, --seeds, --finalists, --add or --space")
    if resources or names:
        after = plan.changed(changes, "extend")
        check_machine(after.resources, after.processes, address)
    return changes


def _with_more_of_the_baseline(plan: StudyPlan, trials: int) -> dict[str, Any]:
    """The task of a study of the baseline alone, with more trials of it: no other trials are there to be had.

    Raises:
        InputError: the baseline searches nothing, so it is trained once.
    """
    if not plan.domains(BASELINE):
        raise InputError(
            f"--trials: study {plan.study} trains {BASELINE} alone, whose task searches nothing of it; give --add METHOD"
        )
    task: dict[str, Any] = plan.task.model_dump(mode="json", by_alias=True)
    task["baseline"]["trials"] += trials
    return task


def _joined(
    plan: StudyPlan,
    data: Prepared,
    names: tuple[str, ...],
    space: tuple[str, ...],
    storage: Path,
    address: str | None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The arms of further methods, and the teacher if they are the first that need one."""
    known = plan.names()
    twice = next((name for name in names if name in known), None)
    if twice is not None or ALL in names:
        raise InputError(f"--add {twice or ALL}: name methods that study {plan.study} does not have yet")
    request = Request(methods=names, data_root=plan.data_root, space=space)
    check_arms(request)
    methods = {name: registry.method_of(name) for name in names}
    spaces = {name: load_space(method, request.space_of(name)) for name, method in methods.items() if method}
    student, teacher = look_at_models(plan.task, data.classes)
    arms = plan_arms(request, spaces, student, teacher).arms
    changes: dict[str, Any] = {}
    reference, train = plan.teacher, plan.teacher_train
    if reference is None and any(arm.taught for arm in arms):
        reference, train = teachers.trained_teacher(plan.task), True
        changes = {"teacher": reference.model_dump(mode="json"), "teacher_train": True}
    attempts = Attempts(here=address is None)
    for arm in arms:
        taught = reference if arm.taught else None
        attempts.task(plan.task, data, arm.method, arm.defaults, taught, train and arm.taught)
    return [arm.model_dump(mode="json", by_alias=True) for arm in arms], changes


def _with_spaces(plan: StudyPlan, data: Prepared, given: Sequence[str]) -> list[dict[str, Any]]:
    """The arms of the plan, some with another search space."""
    if not plan.arms:
        raise InputError(
            f"--space: study {plan.study} searches {BASELINE} alone, which has no search space; leave it out"
        )
    request = Request(methods=tuple(arm.name for arm in plan.arms), space=tuple(given))
    check_arms(request)
    files = {arm.name: file for arm in plan.arms if (file := request.space_of(arm.name))}
    student, teacher = look_at_models(plan.task, data.classes)
    arms = [refit(arm, files[arm.name], student, teacher) if arm.name in files else arm for arm in plan.arms]
    return [arm.model_dump(mode="json", by_alias=True) for arm in arms]
