"""From what a user asks for to a study's plan: everything is checked here, before anything is written or started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdbench.data import Prepared, prepare
from kdbench.detectors import configs, teachers
from kdbench.errors import InputError
from kdbench.planning.arms import plan_arms
from kdbench.planning.crowds import crowd_notes
from kdbench.planning.estimating import measure, with_costs
from kdbench.planning.learning import learn, noise_of
from kdbench.planning.numbers import check_machine, gpus_of
from kdbench.planning.requests import ALL, Request, check_place, read_words
from kdbench.planning.resolving import look_at_models
from kdbench.planning.trying import Attempts
from kdbench.search import folders
from kdbench.specs.study import BASELINE, Resources, StudyPlan
from kdbench.specs.task import data_folder

__all__ = ["Planned", "Request", "make_plan"]


@dataclass(frozen=True)
class Planned:
    """A plan that holds, with its data."""

    plan: StudyPlan
    data: Prepared
    notes: tuple[str, ...] = ()
    """What a user should know before it starts, in one line each."""


DEFAULT_TRIALS = 20
DEFAULT_OF_AN_ARM = 10
"""Trials, where nobody says how many: of a single method, and of each of several."""
HALVED = 3
"""From so many arms on, trials go to those that are ahead, unless the user says otherwise."""


def make_plan(request: Request, storage: Path, address: str | None) -> Planned:
    """Check a request and resolve it.

    Raises:
        InputError: one line on what is wrong, where, and how to mend it.
    """
    task, spaces = read_words(request)
    check_place(storage, request.tracking_uri, address)
    name = request.name or folders.free_name(storage, f"{_short(request.methods)}-{task.name.replace('/', '-')}")
    folders.check_name(storage, name)
    resources = Resources(concurrent=request.concurrent, cpus=request.cpus, gpus=request.gpus or 0)
    # A task that comes with many GPUs is looked at for its data first.
    asked = task.schedule.gpus if "schedule.gpus" in request.set else 1
    check_machine(resources, asked, address)

    data = prepare(task.dataset, storage, data_folder(request.data_root, task), request.max_bad)
    student, teacher = look_at_models(task, data.classes)
    arms = plan_arms(request, spaces, student, teacher)
    reference, train = None, False
    if any(arm.taught for arm in arms.arms):
        if request.teacher == "train":
            reference, train = teachers.trained_teacher(task), True
        else:
            reference = teachers.given_teacher(storage, task, request.teacher, tuple(data.classes))
    if not arms.arms and request.trials is not None:
        task = task.model_copy(update={"baseline": task.baseline.model_copy(update={"trials": request.trials})})
    root = data_folder(request.data_root, task)
    plan = StudyPlan(
        study=name,
        task=task,
        arms=arms.arms,
        detector=student.kind,
        trials=_trials(request, len(arms.arms)),
        hours=request.hours,
        allocate=request.allocate or ("halving" if len(arms.arms) >= HALVED else "equal"),
        finalists=request.finalists,
        seeds=request.seeds,
        seed=request.seed,
        algorithm=request.algorithm,
        scheduler=request.scheduler,
        prior=request.prior,
        patience=request.patience,
        reuse=request.reuse,
        resources=resources.model_copy(update={"gpus": gpus_of(request.gpus, address)}),
        teacher=reference,
        teacher_train=train,
        data_root=str(root) if root else None,
        data=data.content,
        tracking_uri=request.tracking_uri,
    )
    check_machine(plan.resources, plan.processes, address)
    plan, refused = _tried(plan, data, request.methods == (ALL,), here=address is None)
    learnt = learn(plan, request.sources, storage)
    plan = plan.model_copy(update={"arms": learnt.arms, "noise": noise_of(task, storage)})
    if plan.hours is not None:
        train_teacher = train and reference is not None and not teachers.weights_file(storage, reference).is_file()
        plan = with_costs(plan, measure(plan, data, train_teacher))
    notes = configs.notes((task.student.config, task.teacher.config))
    crowds = crowd_notes((model, data) for model in ([task.student, task.teacher] if train else [task.student]))
    return Planned(plan, data, (*notes, *crowds, *arms.refused, *refused, *learnt.lines))


def _short(methods: tuple[str, ...]) -> str:
    """The start of a study's name."""
    return "-".join(methods) if len(methods) <= 3 else f"{methods[0]}-and-{len(methods) - 1}-more"


def _trials(request: Request, arms: int) -> int | None:
    if request.trials is not None or request.hours is not None:
        return request.trials
    return DEFAULT_TRIALS if arms <= 1 else DEFAULT_OF_AN_ARM * arms


def _tried(plan: StudyPlan, data: Prepared, every: bool, here: bool) -> tuple[StudyPlan, list[str]]:
    """The plan after a real step of everything in it; of `every` method, without those that fail, each with its line.

    Raises:
        InputError: one that was named fails.
    """
    attempts, kept, refused = Attempts(here), [], []
    teacher, train = plan.teacher, plan.teacher_train
    if not plan.arms:
        attempts.task(plan.task, data, BASELINE, {}, None, False)
    for arm in plan.arms:
        taught = teacher if arm.taught else None
        try:
            attempts.task(plan.task, data, arm.method, arm.defaults, taught, train and arm.taught)
            kept.append(arm)
        except InputError as error:
            if not every:
                raise
            refused.append((f"without {arm.name}: {error}", error))
    if plan.arms and not kept:
        raise refused[0][1]
    return plan.model_copy(update={"arms": tuple(kept)}), [line for line, _ in refused]
