"""From what a user asks for to a study's plan: everything is checked here, before anything is written or started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.data import Prepared, prepare
from kdbench.detectors import configs, teachers
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import DetectorInfo, Method
from kdbench.planning.numbers import check_numbers, gpus_of
from kdbench.planning.resolving import look_at_models
from kdbench.planning.trying import Attempts
from kdbench.search import folders
from kdbench.specs.base import Spec
from kdbench.specs.space import Domain, SpaceSpec, check_names, load_space
from kdbench.specs.study import BASELINE, Algorithm, Resources, Scheduler, StudyPlan
from kdbench.specs.task import load_task


class Request(Spec):
    """What `kdbench search` was asked for, as it was given."""

    method: str
    task: str = "shapes"
    data_root: str | None = None
    name: str | None = None
    trials: int | None = None
    epochs: int | None = None
    seeds: int = 1
    space: str | None = None
    set: dict[str, Any] = {}
    algorithm: Algorithm = "optuna"
    scheduler: Scheduler = "none"
    concurrent: int | None = None
    cpus: float = 1
    gpus: float | None = None
    teacher: str = "train"
    tracking_uri: str | None = None
    seed: int = 0


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
    check_numbers(request)
    method, preset = registry.resolve(request.method)
    own = {k.removeprefix("method."): v for k, v in request.set.items() if k.startswith("method.")}
    changes = {k: v for k, v in request.set.items() if not k.startswith("method.")}
    task = load_task(request.task, changes)
    if request.epochs:
        # The teacher keeps its own schedule: it is trained once and serves every study of the task.
        teacher_schedule = task.full_teacher_schedule().model_dump()
        update = {"schedule": task.schedule.with_epochs(request.epochs), "teacher_schedule": teacher_schedule}
        task = task.model_copy(update=update)
    space = load_space(method.name, request.space)
    check_names(space, list(method.Params.model_fields), f"search space {request.space or method.name}")
    name = request.name or folders.free_name(storage, f"{request.method}-{task.name.replace('/', '-')}")
    folders.check_name(storage, name)

    root = Path(request.data_root).expanduser().absolute() if request.data_root else None
    data = prepare(task.dataset, storage, root)
    student, teacher = look_at_models(task, data.classes)
    detector = student.kind
    fixed = {**preset, **own}
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
        resources=Resources(concurrent=request.concurrent, cpus=request.cpus, gpus=gpus_of(request.gpus, address)),
        teacher=reference,
        teacher_train=train,
        data_root=str(root) if root else None,
        data=data.content,
        tracking_uri=request.tracking_uri,
    )
    if method.name == BASELINE and request.trials is not None:
        baseline = task.baseline.model_copy(update={"trials": request.trials})
        plan = plan.model_copy(update={"task": task.model_copy(update={"baseline": baseline})})
    Attempts(here=address is None).task(task, data, method.name, resolved.plain(), reference, train)
    notes = [
        note for config in dict.fromkeys((task.student.config, task.teacher.config)) if (note := configs.notes(config))
    ]
    return Planned(plan, data, tuple(notes))


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
