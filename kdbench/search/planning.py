"""From what a user asks for to a study's plan: everything is checked here, before anything is written or started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.data import Prepared, prepare
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import DetectorInfo, Method
from kdbench.search import folders
from kdbench.specs import metrics
from kdbench.specs.base import Spec
from kdbench.specs.space import SpaceSpec, check_names, load_space
from kdbench.specs.study import BASELINE, Algorithm, Resources, Scheduler, StudyPlan
from kdbench.specs.task import TaskSpec, load_task
from kdbench.training import teachers


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


DEFAULT_TRIALS = 20


def make_plan(request: Request, storage: Path, address: str | None) -> Planned:
    """Check a request and resolve it.

    Raises:
        InputError: one line on what is wrong, where, and how to mend it.
    """
    _check_numbers(request)
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
    student, teacher = look_at_models(task, data)
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
        resources=Resources(concurrent=request.concurrent, cpus=request.cpus, gpus=_gpus(request, address)),
        teacher=reference,
        teacher_train=train,
        data_root=str(root) if root else None,
        tracking_uri=request.tracking_uri,
    )
    if method.name == BASELINE and request.trials is not None:
        baseline = task.baseline.model_copy(update={"trials": request.trials})
        plan = plan.model_copy(update={"task": task.model_copy(update={"baseline": baseline})})
    return Planned(plan, data)


def look_at_models(task: TaskSpec, data: Prepared) -> tuple[DetectorInfo, DetectorInfo]:
    """Build student and teacher once, with random weights: a config that does not build is found here.

    Raises:
        InputError: a config is wrong, or the task's metric does not fit the model or the data.
    """
    from kdbench.detectors import configs, models

    infos = []
    for role in ("student", "teacher"):
        spec = getattr(task, role)
        cfg = configs.load_model_config(spec.config, dict(spec.set))
        configs.set_num_classes(cfg, len(data.classes))
        configs.drop_pretrained(cfg)
        masks = bool(cfg.model.get("roi_head", {}).get("mask_head"))
        metrics.check(task.metric, classes=len(data.classes), masks=masks, where=f"task {task.name}, {role}")
        model = models.build(cfg.model, seed=0)
        infos.append(models.info(model, cfg.model))
    return infos[0], infos[1]


def _check_numbers(request: Request) -> None:
    for key in ("trials", "epochs", "seeds", "concurrent"):
        value = getattr(request, key)
        if value is not None and value < 1:
            raise InputError(f"--{key} {value}: must be at least 1")
    if request.cpus <= 0:
        raise InputError(f"--cpus {request.cpus:g}: must be above 0")
    if request.gpus is not None and request.gpus < 0:
        raise InputError(f"--gpus {request.gpus:g}: must be 0 or more")
    if request.seed < 0:
        raise InputError(f"--seed {request.seed}: must be 0 or more")


def _gpus(request: Request, address: str | None) -> float:
    """GPUs of a process: as asked, else one where this machine has any (on a cluster: say --gpus)."""
    if request.gpus is not None:
        return request.gpus
    if address:
        return 0.0
    import torch

    return 1.0 if torch.cuda.is_available() else 0.0


def _fitted(
    space: SpaceSpec, method: type[Method], values: dict[str, Any], student: DetectorInfo, teacher: DetectorInfo | None
) -> SpaceSpec:
    """The space for these detectors: without choices that the method refuses, relative ranges times the default value.

    So no trial is spent on what cannot be, and one file serves detectors whose published values differ.
    """

    def accepted(name: str, value: Any) -> bool:
        try:
            method.check(method.Params.parse({**values, name: value}, space.method), student, teacher)
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
