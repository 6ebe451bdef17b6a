"""Searches: run and go on, as the command line and notebooks call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.data import Prepared, prepare
from kdbench.detectors import teachers
from kdbench.errors import RunError
from kdbench.outcome.ends import check_completed
from kdbench.outcome.report import study_report
from kdbench.outcome.result import StudyResult
from kdbench.outcome.summary import study_summary
from kdbench.planning.study import Planned, Request, make_plan
from kdbench.running.driving import Crew, drive
from kdbench.running.inputs import splits_of
from kdbench.running.listeners import record_stored_teacher
from kdbench.running.payloads import make_payload
from kdbench.search import folders
from kdbench.search.board import TEACHER, Board
from kdbench.search.trials import TrialState
from kdbench.specs.paths import storage_folder
from kdbench.specs.recipe import given_teacher_recipe, teacher_recipe
from kdbench.specs.study import StudyPlan
from kdbench.tracking.writer import open_tracker


def search(method: str, *, storage: str | Path | None = None, address: str | None = None, **wishes: Any) -> StudyResult:
    """Search the best recipe of a method on a task, with its baseline and teacher.

    Args:
        wishes: as the options of `kdbench search`: task, data_root, name, trials, epochs, seeds, space, set, algorithm,
            scheduler, concurrent, cpus, gpus, teacher, tracking_uri, seed.

    Raises:
        InputError: something that was asked for is wrong; nothing has been started.

    Example:
        >>> import kdbench
        >>> result = kdbench.search("defeat", trials=6)
        >>> kdbench.leaderboard(result.study)
    """
    folder = storage_folder(storage)
    planned = make_plan(Request.parse({"method": method, **wishes}, "search"), folder, address)
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
        data = prepare(plan.task.dataset, storage, Path(plan.data_root) if plan.data_root else None)
        data.check_content(plan.data, study)
        return _run(plan, data, folder, storage, address, retry=retry)


def _run(
    plan: StudyPlan, data: Prepared, folder: Path, storage: Path, address: str | None, *, retry: tuple[str, ...]
) -> StudyResult:
    tracker = open_tracker(plan.tracking_uri, storage)
    crew = Crew(tracker, storage)
    crew.recorder.data_of = lambda recipe: data
    ready = plan.teacher is None or teachers.sound(storage, plan.teacher.id, crew.view.tell)
    evaluate = None
    if plan.teacher is not None and not plan.teacher_train:
        evaluate = given_teacher_recipe(plan.task, plan.teacher)
        evaluate = None if teachers.figures(storage, evaluate) else evaluate
    board = Board(plan, folder, teacher_ready=ready, evaluate=evaluate, listeners=crew.listeners)
    splits = splits_of(plan.task.dataset, data)
    tracker.open_study(plan.task.name, plan.study, tags=_study_tags(plan), params=_study_params(plan), splits=splits)
    if plan.teacher is not None and ready and TEACHER not in board.trials:
        own = teacher_recipe(plan.task) if plan.teacher_train else given_teacher_recipe(plan.task, plan.teacher)
        record_stored_teacher(tracker, own, storage, data)
    crew.join(board, retry)
    if plan.teacher is not None and not plan.teacher_train and not board.done:
        teachers.require(storage, plan.teacher)
    weights = teachers.weights_file(storage, plan.teacher) if plan.teacher else None

    def payload(trial: TrialState) -> dict[str, Any]:
        return make_payload(trial, folder=folder, data=data.folder, teacher=weights, resources=plan.resources)

    def close(status: str) -> None:
        made = study_summary(board)
        tracker.close_study(plan.task.name, plan.study, summary=made.figures, status=status, tags=made.tags)

    drive(board, crew, payload, processes=plan.processes, address=address, on_interrupt=lambda: close("KILLED"))
    close("FAILED" if board.problem else "FINISHED")
    study_report(plan.study, [plan.task.name], folder, storage, plan.tracking_uri, tracker)
    if board.problem:
        raise RunError(f"study {plan.study}: {board.problem}; see {folder / 'trials' / TEACHER}")
    check_completed(f"study {plan.study}", board.trials.values(), {plan.method}, folder / "trials")
    best = board.best(plan.method)
    ends = {trial.id: trial.end or "running" for trial in board.trials.values()}
    return StudyResult(plan.study, folder, ends, best.id if best else None, best.best if best else None)


def _study_tags(plan: StudyPlan) -> dict[str, str]:
    tags = {"kdbench.method": plan.method, "kdbench.detector": plan.detector}
    return {**tags, "kdbench.teacher": plan.teacher.id} if plan.teacher else tags


def _study_params(plan: StudyPlan) -> dict[str, Any]:
    keys = ("method", "trials", "seeds", "seed", "algorithm", "scheduler")
    return {
        **{key: getattr(plan, key) for key in keys},
        "epochs": plan.task.schedule.epochs,
        "metric": plan.task.metric,
    }
