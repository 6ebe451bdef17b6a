"""From what a user asks for to a study's plan: everything is checked here, before anything is written or started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.data import Prepared, prepare
from kdbench.detectors import configs, teachers
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.planning.crowds import crowd_notes
from kdbench.planning.numbers import check_machine, gpus_of
from kdbench.planning.requests import Request, check_place, read_words
from kdbench.planning.resolving import look_at_models
from kdbench.planning.trying import Attempts
from kdbench.search import folders
from kdbench.specs.space import Domain, SpaceSpec, check_names, load_space
from kdbench.specs.study import BASELINE, Resources, StudyPlan
from kdbench.specs.task import data_folder

if TYPE_CHECKING:
    from kdbench.methods.base import DetectorInfo, Method

__all__ = ["Planned", "Request", "make_plan"]


@dataclass(frozen=True)
class Planned:
    """A plan that holds, with its data."""

    plan: StudyPlan
    data: Prepared
    notes: tuple[str, ...] = ()
    """What a user should know before it starts, in one line each."""


DEFAULT_TRIALS = 20


def make_plan(request: Request, storage: Path, address: str | None) -> Planned:
    """Check a request and resolve it.

    Raises:
        InputError: one line on what is wrong, where, and how to mend it.
    """
    task, space = read_words(request)
    check_place(storage, request.tracking_uri, address)
    name = request.name or folders.free_name(storage, f"{request.method}-{task.name.replace('/', '-')}")
    folders.check_name(storage, name)
    resources = Resources(concurrent=request.concurrent, cpus=request.cpus, gpus=request.gpus or 0)
    # A task that comes with many GPUs is looked at for its data first.
    asked = task.schedule.gpus if "schedule.gpus" in request.set else 1
    check_machine(resources, asked, address)

    root = data_folder(request.data_root, task)
    method, preset = registry.resolve(request.method)
    space = space or load_space(method.name, request.space)
    check_names(space, list(method.Params.model_fields), f"search space {request.space or method.name}")
    data = prepare(task.dataset, storage, root, request.max_bad)
    student, teacher = look_at_models(task, data.classes)
    detector = student.kind
    fixed = {**preset, **request.own}
    defaults = {**method.Params().plain(), **method.default_params(student)}
    resolved = registry.parse_params(method.name, {**defaults, **fixed}, f"--set method.* of {method.name}")
    method.check(resolved, student, teacher if method.needs_teacher else None)
    space = _fitted(space, method, resolved.plain(), student, teacher if method.needs_teacher else None)
    reference, train = None, False
    if method.needs_teacher:
        if request.teacher == "train":
            reference, train = teachers.trained_teacher(task), True
        else:
            reference = teachers.given_teacher(storage, task, request.teacher, tuple(data.classes))
    plan = StudyPlan(
        study=name,
        task=task,
        method=method.name,
        fixed={key: resolved.plain()[key] for key in fixed},
        space=space,
        defaults=resolved.plain(),
        detector=detector,
        trials=request.trials or DEFAULT_TRIALS,
        seeds=request.seeds,
        seed=request.seed,
        algorithm=request.algorithm,
        scheduler=request.scheduler,
        resources=resources.model_copy(update={"gpus": gpus_of(request.gpus, address)}),
        teacher=reference,
        teacher_train=train,
        data_root=str(root) if root else None,
        data=data.content,
        tracking_uri=request.tracking_uri,
    )
    if method.name == BASELINE and request.trials is not None:
        baseline = task.baseline.model_copy(update={"trials": request.trials})
        plan = plan.model_copy(update={"task": task.model_copy(update={"baseline": baseline})})
    check_machine(plan.resources, plan.processes, address)
    Attempts(here=address is None).task(task, data, method.name, resolved.plain(), reference, train)
    notes = configs.notes((task.student.config, task.teacher.config))
    learning = [task.student, task.teacher] if train else [task.student]
    return Planned(plan, data, (*notes, *crowd_notes((model, data) for model in learning)))


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
