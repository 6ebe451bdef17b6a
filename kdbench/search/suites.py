"""Suites: run, resume, as the command line and notebooks call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.errors import RunError
from kdbench.search import folders
from kdbench.search.api import StudyResult, open_tracker, record_stored_teacher
from kdbench.search.driving import Crew, drive
from kdbench.search.finding import find
from kdbench.search.listeners import Recorder
from kdbench.search.numbers import gpus_of
from kdbench.search.payloads import make_payload
from kdbench.search.report import study_report
from kdbench.search.reuse import Trainings
from kdbench.search.suite_board import SuiteBoard
from kdbench.search.suite_planning import PlannedSuite, SuiteRequest, make_suite_plan, prepare_all
from kdbench.search.summary import suite_summary
from kdbench.search.trials import TrialState
from kdbench.specs.paths import storage_folder
from kdbench.specs.suite import SuitePlan
from kdbench.training import teachers


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


def plan_suite(request: SuiteRequest, storage: Path, address: str | None, *, need_data: bool = True) -> PlannedSuite:
    """Resolve a request. Its name is that of a run with this very plan, if there is one, or a free one."""
    gpus = gpus_of(request.gpus, address)
    wish = request.name or f"{Path(request.suite).stem}-{request.grade}"
    planned = make_suite_plan(request, storage, gpus, wish, need_data=need_data)
    for name in folders.studies(storage):
        _, there = folders.open_any(storage, name)
        if isinstance(there, SuitePlan) and _same(there, planned.plan) and request.name in (None, name):
            planned.plan = there.model_copy(update={"resources": planned.plan.resources})
            return planned
    name = request.name or folders.free_name(storage, wish)
    folders.check_name(storage, name)
    planned.plan = planned.plan.model_copy(update={"study": name})
    return planned


def start_suite(planned: PlannedSuite, storage: Path, address: str | None) -> StudyResult:
    """Run a plan: make its folder, unless it is there, and go."""
    plan = planned.plan
    open_tracker(plan.tracking_uri, storage)  # a tracking server that does not answer is found before anything is made
    there = plan.study in folders.studies(storage)
    folder = storage / "studies" / plan.study if there else folders.create(storage, plan)
    with folders.only_driver(folder):
        return _run(planned, folder, storage, address, retry=("lost",))


def resume_suite(
    study: str, plan: SuitePlan, storage: Path, address: str | None, retry: tuple[str, ...]
) -> StudyResult:
    """Go on with a suite's run."""
    folder = storage / "studies" / study
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
    stored = {r.hash for r in plan.teachers if (storage / "teachers" / r.hash / teachers.WEIGHTS).is_file()}
    stored |= {row.recipe.teacher.id for row in plan.rows if row.recipe.teacher} - {r.hash for r in plan.teachers}
    root = Path(plan.data_root) if plan.data_root else None
    finished = Trainings(storage, root, plan.data)
    evaluate = [recipe for recipe in plan.given if not teachers.figures(storage, recipe)]
    board = SuiteBoard(plan, folder, stored=stored, finished=finished, evaluate=evaluate, listeners=crew.listeners)
    for task in plan.tasks:
        tracker.open_study(task, plan.study, tags=_tags(plan), params=_params(plan))
    for recipe in (*plan.teachers, *plan.given):
        if f"teacher-{recipe.hash}" not in board.trials:
            record_stored_teacher(tracker, recipe, storage)
    crew.join(board, retry)

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
    ends = {trial.id: trial.end or "running" for trial in board.trials.values()}
    return StudyResult(plan.study, folder, ends, None, None)


def _same(one: SuitePlan, other: SuitePlan) -> bool:
    """Whether two plans are of the same work, wherever and however it runs."""
    aside = {"study", "resources", "tracking_uri"}
    return one.model_dump(exclude=aside) == other.model_dump(exclude=aside)


def _tags(plan: SuitePlan) -> dict[str, str]:
    return {"kdbench.suite": plan.suite, "kdbench.grade": plan.grade}


def _params(plan: SuitePlan) -> dict[str, Any]:
    return {"suite": plan.suite, "grade": plan.grade, "seeds": plan.seeds, "seed": plan.seed, "rows": len(plan.rows)}
