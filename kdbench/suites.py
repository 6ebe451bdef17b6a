"""Suites: run and go on, as the command line and notebooks call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.detectors import teachers
from kdbench.errors import RunError
from kdbench.outcome.ends import check_completed
from kdbench.outcome.report import study_report
from kdbench.outcome.result import StudyResult
from kdbench.outcome.summary import suite_summary
from kdbench.outcome.whole import spoilt
from kdbench.planning.suite import PlannedSuite, SuiteRequest, plan_suite, prepare_all
from kdbench.running.driving import Crew, drive
from kdbench.running.inputs import splits_of
from kdbench.running.listeners import Recorder, record_stored_teacher
from kdbench.running.payloads import make_payload
from kdbench.search import folders
from kdbench.search.finding import Trained, find
from kdbench.search.reuse import Trainings
from kdbench.search.suite_board import SuiteBoard
from kdbench.search.trials import TrialState
from kdbench.specs.paths import storage_folder
from kdbench.specs.study import BASELINE
from kdbench.specs.suite import SuitePlan
from kdbench.tracking.writer import open_tracker


def bench(suite: str, *, storage: str | Path | None = None, address: str | None = None, **wishes: Any) -> StudyResult:
    """Train every row of a suite with every seed; what has been trained already is taken over.

    Asked for again with the same words, it goes on with the run that is there.

    Args:
        wishes: as the options of `kdbench bench`: grade, seeds, rows, name, data_root, set, teacher, concurrent, cpus,
            gpus, tracking_uri, seed.

    Raises:
        InputError: something that was asked for is wrong; nothing has been started.

    Example:
        >>> import kdbench
        >>> result = kdbench.bench("methods_shapes", grade="smoke")
        >>> kdbench.leaderboard(result.study)
    """
    folder = storage_folder(storage)
    planned = plan_suite(SuiteRequest.parse({"suite": suite, **wishes}, "bench"), folder, address)
    return start_suite(planned, folder, address)


def start_suite(planned: PlannedSuite, storage: Path, address: str | None) -> StudyResult:
    """Run a plan: make its folder, unless it is there, and go."""
    plan = planned.plan
    open_tracker(plan.tracking_uri, storage)  # a tracking server that does not answer is found before anything is made
    there = plan.study in folders.studies(storage)
    folder = storage / "studies" / plan.study if there else folders.create(storage, plan)
    folders.check_ledger(folder)
    with folders.only_driver(folder):
        return _run(planned, folder, storage, address, retry=("lost",))


def resume_suite(
    study: str, plan: SuitePlan, storage: Path, address: str | None, retry: tuple[str, ...]
) -> StudyResult:
    """Go on with a suite's run."""
    folder = storage / "studies" / study
    folders.check_ledger(folder)
    with folders.only_driver(folder):
        return _run(prepare_all(plan, storage), folder, storage, address, retry=retry)


class _SuiteRecorder(Recorder):
    """Says of each run which published row it reproduces."""

    board: SuiteBoard

    def tags(self, trial: TrialState) -> dict[str, str]:
        row = self.board.row_of(trial)
        more = {"kdbench.published": row.published, "kdbench.note": row.note, "kdbench.suite": self.board.plan.suite}
        return {**super().tags(trial), **{name: value for name, value in more.items() if value}}


def _run(
    planned: PlannedSuite, folder: Path, storage: Path, address: str | None, *, retry: tuple[str, ...]
) -> StudyResult:
    plan = planned.plan
    tracker = open_tracker(plan.tracking_uri, storage)
    crew = Crew(tracker, storage, _SuiteRecorder)
    crew.recorder.data_of = planned.data_of
    stored = {r.hash for r in plan.teachers if teachers.sound(storage, r.hash, crew.view.tell)}
    stored |= {row.recipe.teacher.id for row in plan.rows if row.recipe.teacher} - {r.hash for r in plan.teachers}
    root = Path(plan.data_root) if plan.data_root else None

    def look(one: Trained) -> None:
        line = spoilt(one)
        if line is not None:
            crew.view.tell(f"{line}; the recipe is trained again where its weights are needed")

    finished = Trainings(storage, root, plan.data, look)
    evaluate = [recipe for recipe in plan.given if not teachers.figures(storage, recipe)]
    board = SuiteBoard(plan, folder, stored=stored, finished=finished, evaluate=evaluate, listeners=crew.listeners)
    for task in plan.tasks:
        recipe = next(row.recipe for row in plan.rows if row.recipe.task == task)
        splits = splits_of(recipe.dataset, planned.data_of(recipe))
        tracker.open_study(task, plan.study, tags=_tags(plan), params=_params(plan), splits=splits)
    for recipe in (*plan.teachers, *plan.given):
        if f"teacher-{recipe.hash}" not in board.trials:
            record_stored_teacher(tracker, recipe, storage, planned.data_of(recipe))
    crew.join(board, retry)
    for recipe in plan.given if not board.done else ():
        teachers.require(storage, recipe.teacher)

    def payload(trial: TrialState) -> dict[str, Any]:
        reference = trial.recipe.teacher
        weights = teachers.weights_file(storage, reference) if reference else None
        data = planned.data_of(trial.recipe).folder
        content = make_payload(trial, folder=folder, data=data, teacher=weights, resources=plan.resources)
        if trial.reused:
            known = find(storage, trial.reused)
            content["trained"] = {"weights": str(known.workdir / "student.pth"), "summary": known.summary}
        return content

    def close(status: str) -> None:
        for task in plan.tasks:
            made = suite_summary(board, task)
            tracker.close_study(task, plan.study, summary=made.figures, status=status, tags=made.tags)

    drive(board, crew, payload, processes=plan.processes, address=address, on_interrupt=lambda: close("KILLED"))
    close("FAILED" if board.problem else "FINISHED")
    study_report(plan.study, list(plan.tasks), folder, storage, plan.tracking_uri, tracker)
    if board.problem:
        raise RunError(f"suite {plan.suite}: {board.problem}; see {folder / 'trials'}")
    methods = {row.recipe.method.name for row in plan.rows}
    distilled = methods - {BASELINE} or methods
    check_completed(f"suite {plan.suite}", board.trials.values(), distilled, folder / "trials")
    ends = {trial.id: trial.end or "running" for trial in board.trials.values()}
    return StudyResult(plan.study, folder, ends, None, None)


def _tags(plan: SuitePlan) -> dict[str, str]:
    return {"kdbench.suite": plan.suite, "kdbench.grade": plan.grade}


def _params(plan: SuitePlan) -> dict[str, Any]:
    return {"suite": plan.suite, "grade": plan.grade, "seeds": plan.seeds, "seed": plan.seed, "rows": len(plan.rows)}
