"""Searches: run, go on, and give more, as the command line and notebooks call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.data import Prepared, prepare
from kdbench.detectors import teachers
from kdbench.errors import RunError
from kdbench.outcome.answer import Teacher, answer
from kdbench.outcome.ends import check_completed
from kdbench.outcome.report import study_report
from kdbench.outcome.result import StudyResult
from kdbench.outcome.summary import NOTE, study_summary
from kdbench.planning.extending import extension
from kdbench.planning.study import Planned, Request, make_plan
from kdbench.running.driving import Crew, drive
from kdbench.running.inputs import splits_of
from kdbench.running.listeners import record_stored_teacher
from kdbench.running.payloads import make_payload
from kdbench.search import folders
from kdbench.search.board import TEACHER, Board
from kdbench.search.reuse import Trainings
from kdbench.search.trials import TrialState
from kdbench.specs.base import content_hash
from kdbench.specs.paths import storage_folder
from kdbench.specs.recipe import given_teacher_recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan
from kdbench.tracking.writer import open_tracker


def search(*methods: str, storage: str | Path | None = None, address: str | None = None, **wishes: Any) -> StudyResult:
    """Search the best recipe of one or several methods on a task, with baseline and teacher.

    Args:
        methods: names of methods and presets, or `all` alone.
        wishes: as the options of `kdbench search`: task, data_root, name, trials, hours, epochs, seeds, finalists, space,
            set, algorithm, scheduler, allocate, prior, patience, reuse, concurrent, cpus, gpus, teacher, tracking_uri, seed.

    Raises:
        InputError: something that was asked for is wrong; nothing has been started.

    Example:
        >>> import kdbench
        >>> result = kdbench.search("defeat", "icd", trials=12)
        >>> kdbench.leaderboard(result.study)
    """
    folder = storage_folder(storage)
    planned = make_plan(Request.parse({"methods": methods, **wishes}, "search"), folder, address)
    return start(planned, folder, address)


def start(planned: Planned, storage: Path, address: str | None) -> StudyResult:
    """Run a plan: make the study's folder and go."""
    open_tracker(
        planned.plan.tracking_uri, storage
    )  # a tracking server that does not answer is found before anything is made
    folder = folders.create(storage, planned.plan)
    with folders.only_driver(folder):
        return _run(planned.plan, planned.data, folder, storage, address, retry=())


def resume_study(
    study: str, plan: StudyPlan, storage: Path, address: str | None, retry: tuple[str, ...]
) -> StudyResult:
    """Go on with a search.

    Raises:
        InputError: it is running, or its data has changed.
    """
    folder = storage / "studies" / study
    folders.check_ledger(folder)
    with folders.only_driver(folder):
        return _run(plan, _data(plan, storage), folder, storage, address, retry=retry)


def extend_study(
    study: str, plan: StudyPlan, storage: Path, address: str | None, retry: tuple[str, ...] = ("lost",), **more: Any
) -> StudyResult:
    """Go on with a search that has ended, or was stopped, with more: trials, hours, seeds, finalists, methods, spaces.

    Args:
        more: as `planning.extending.extension` takes it.

    Raises:
        InputError: nothing to add, something wrong, it is running, or its data has changed.
    """
    folder = storage / "studies" / study
    folders.check_ledger(folder)
    with folders.only_driver(folder):
        data = _data(plan, storage)
        changes = extension(plan, data, storage, address, **more)
        return _run(plan, data, folder, storage, address, retry=retry, changes=changes)


def _data(plan: StudyPlan, storage: Path) -> Prepared:
    data = prepare(plan.task.dataset, storage, Path(plan.data_root) if plan.data_root else None)
    data.check_content(plan.data, plan.study)
    return data


def _run(
    plan: StudyPlan,
    data: Prepared,
    folder: Path,
    storage: Path,
    address: str | None,
    *,
    retry: tuple[str, ...],
    changes: dict[str, Any] | None = None,
) -> StudyResult:
    after = plan.changed(changes, "extend") if changes else plan
    tracker = open_tracker(plan.tracking_uri, storage)
    crew = Crew(tracker, storage)
    crew.recorder.data_of = lambda recipe: data
    ready = after.teacher is None or teachers.sound(storage, after.teacher.id, crew.view.tell)
    evaluate = None
    if after.teacher is not None and not after.teacher_train:
        evaluate = given_teacher_recipe(after.task, after.teacher)
        evaluate = None if teachers.figures(storage, evaluate) else evaluate
    finished = _finished(plan, storage)
    board = Board(plan, folder, teacher_ready=ready, evaluate=evaluate, finished=finished, listeners=crew.listeners)
    splits = splits_of(plan.task.dataset, data)
    tracker.open_study(plan.task.name, plan.study, tags=_study_tags(plan), params=_study_params(plan), splits=splits)
    if after.teacher is not None and ready and TEACHER not in board.trials:
        own = teacher_recipe(after.task) if after.teacher_train else given_teacher_recipe(after.task, after.teacher)
        record_stored_teacher(tracker, own, storage, data)
    crew.join(board, retry)
    if changes:
        board.extend(changes)
        plan = board.plan
    if plan.teacher is not None and not plan.teacher_train and not board.done:
        teachers.require(storage, plan.teacher)
    weights = teachers.weights_file(storage, plan.teacher) if plan.teacher else None

    def payload(trial: TrialState) -> dict[str, Any]:
        return make_payload(trial, folder=folder, data=data.folder, teacher=weights, resources=plan.resources)

    def close(status: str) -> None:
        made = study_summary(board)
        said = answer(board, _teacher(plan, storage))
        made.tags["kdbench.answer"] = said
        made.tags[NOTE] = f"{said}\n\n{made.tags[NOTE]}" if said else made.tags[NOTE]
        tracker.close_study(plan.task.name, plan.study, summary=made.figures, status=status, tags=made.tags)

    drive(board, crew, payload, processes=plan.processes, address=address, on_interrupt=lambda: close("KILLED"))
    close("FAILED" if board.problem else "FINISHED")
    study_report(plan.study, [plan.task.name], folder, storage, plan.tracking_uri, tracker)
    if board.problem:
        raise RunError(f"study {plan.study}: {board.problem}; see {folder / 'trials' / TEACHER}")
    arms = {arm.name for arm in plan.arms} or {BASELINE}
    check_completed(f"study {plan.study}", board.trials.values(), arms, folder / "trials")
    best = board.winner()
    ends = {trial.id: trial.end or "running" for trial in board.trials.values()}
    value, said = best.best if best else None, answer(board, _teacher(plan, storage))
    return StudyResult(plan.study, folder, ends, best.id if best else None, value, said)


def _teacher(plan: StudyPlan, storage: Path) -> Teacher | None:
    """What the store knows of the study's teacher."""
    if plan.teacher is None:
        return None
    own = teacher_recipe(plan.task) if plan.teacher_train else given_teacher_recipe(plan.task, plan.teacher)
    figures, metric = teachers.figures(storage, own), plan.task.metric
    hours = figures.get("cost/device_hours") if plan.teacher_train else None
    return Teacher(figures.get(f"report/{metric}"), figures.get(f"best/{metric}"), hours)


def _finished(plan: StudyPlan, storage: Path) -> Any:
    """What was trained before in this storage folder on the same data; None for every recipe where it is not wanted."""
    if not plan.reuse:
        return lambda recipe: None
    root = Path(plan.data_root) if plan.data_root else None
    return Trainings(storage, root, {content_hash(plan.task.dataset.plain()): plan.data})


def _study_tags(plan: StudyPlan) -> dict[str, str]:
    tags = {"kdbench.method": plan.title, "kdbench.detector": plan.detector}
    return {**tags, "kdbench.teacher": plan.teacher.id} if plan.teacher else tags


def _study_params(plan: StudyPlan) -> dict[str, Any]:
    keys = ("trials", "hours", "seeds", "seed", "algorithm", "scheduler", "allocate")
    return {
        "method": plan.title,
        **{key: value for key in keys if (value := getattr(plan, key)) is not None},
        "epochs": plan.task.schedule.epochs,
        "metric": plan.task.metric,
    }
