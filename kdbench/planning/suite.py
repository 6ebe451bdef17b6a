"""From a suite's file to its plan: every row's recipe, checked before anything is written or started."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.data import Prepared, prepare
from kdbench.detectors import configs, teachers
from kdbench.errors import InputError, did_you_mean
from kdbench.planning.crowds import crowd_notes
from kdbench.planning.numbers import check_machine, gpus_of
from kdbench.planning.requests import SuiteRequest, check_place, given_teachers, read_suite_words
from kdbench.planning.resolving import look_at_models, resolve_method
from kdbench.planning.trying import Attempts
from kdbench.search import folders
from kdbench.specs.base import content_hash
from kdbench.specs.dataset import PERSON, DatasetSpec
from kdbench.specs.recipe import Recipe, TeacherRef, given_teacher_recipe, task_recipe, teacher_recipe
from kdbench.specs.study import Resources
from kdbench.specs.suite import GradeSpec, PlannedRow, RowSpec, SuitePlan, SuiteSpec
from kdbench.specs.task import TaskSpec, data_folder, load_task

if TYPE_CHECKING:
    from kdbench.methods.base import DetectorInfo

__all__ = ["PlannedSuite", "SuiteRequest", "make_suite_plan", "plan_suite", "prepare_all"]

ASSUMED_CLASSES = tuple(f"class {number}" for number in range(80))
"""For a look at a suite without its data, where only the annotation files name the classes. No recipe depends on it."""


@dataclass
class PlannedSuite:
    """A plan that holds, with its data by the identity of the dataset's specification (none in a look without data)."""

    plan: SuitePlan
    data: dict[str, Prepared] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a user should know before it starts, in one line each."""

    def data_of(self, recipe: Recipe) -> Prepared:
        """The prepared dataset of a recipe."""
        return self.data[content_hash(recipe.dataset.plain())]


def plan_suite(request: SuiteRequest, storage: Path, address: str | None, *, need_data: bool = True) -> PlannedSuite:
    """Resolve a request. Its name is that of a run with this very plan, if there is one, or a free one."""
    read_suite_words(request)  # before torch is asked for its devices
    if request.name is not None and request.name not in folders.studies(storage):
        folders.check_name(storage, request.name)
    check_place(storage, request.tracking_uri, address)
    gpus = gpus_of(request.gpus, address)
    wish = request.name or f"{Path(request.suite).stem}-{request.grade}"
    planned = make_suite_plan(request, storage, gpus, wish, need_data=need_data)
    # A look at a published suite is for any machine.
    check_machine(planned.plan.resources, planned.plan.processes if need_data else 1, address)
    for name in folders.studies(storage):
        _, there = folders.open_any(storage, name)
        if isinstance(there, SuitePlan) and _same(there, planned.plan) and request.name in (None, name):
            planned.plan = there.model_copy(update={"resources": planned.plan.resources})
            return planned
    name = request.name or folders.free_name(storage, wish)
    folders.check_name(storage, name)
    _try_rows(planned, here=address is None)
    planned.plan = planned.plan.model_copy(update={"study": name})
    return planned


def _try_rows(planned: PlannedSuite, here: bool) -> None:
    """Take a step of each kind of row and teacher whose data is there.

    Raises:
        InputError: one that fails; nothing has been trained.
    """
    attempts = Attempts(here)
    rows = [(row.recipe, "student", True) for row in planned.plan.rows]
    for recipe, role, teacher_too in (*rows, *((recipe, "teacher", False) for recipe in planned.plan.teachers)):
        if content_hash(recipe.dataset.plain()) in planned.data:
            attempts(recipe, planned.data_of(recipe), role, teacher_too=teacher_too)


def make_suite_plan(
    request: SuiteRequest, storage: Path, gpus: float, study: str, *, need_data: bool = True
) -> PlannedSuite:
    """Check a request and resolve it.

    Args:
        gpus: of each process.
        need_data: false only looks: rows whose data is not given are resolved all the same.

    Raises:
        InputError: one line on what is wrong, where, and how to mend it.
    """
    spec, chosen = read_suite_words(request)
    grade = spec.grade(request.grade)
    changes = {**grade.set, **request.set}
    tasks = [load_task(row.task or str(spec.task), {**row.set, **changes}) for row in chosen]
    root = data_folder(request.data_root, *tasks)
    planner = _Planner(request, storage, root, need_data)
    rows = [planner.row(row, spec, grade) for row in chosen]
    planner.check_teachers()
    plan = SuitePlan(
        study=study,
        suite=spec.name,
        grade=request.grade,
        title=f"{spec.title}; {grade.title}",
        rows=tuple(rows),
        seeds=request.seeds or grade.seeds,
        seed=request.seed,
        teachers=tuple(planner.teachers.values()),
        given=tuple(planner.given.values()),
        resources=Resources(concurrent=request.concurrent, cpus=request.cpus, gpus=gpus),
        data_root=str(root) if root else None,
        data={key: data.content for key, data in planner.data.items()},
        tracking_uri=request.tracking_uri,
    )
    recipes = (*(row.recipe for row in plan.rows), *plan.teachers, *plan.given)
    planned = PlannedSuite(plan, planner.data, configs.notes(name for recipe in recipes for name in recipe.detectors))
    learning = [recipe for recipe in recipes if content_hash(recipe.dataset.plain()) in planned.data]
    planned.notes += crowd_notes((recipe.student, planned.data_of(recipe)) for recipe in learning)
    return planned


def prepare_all(plan: SuitePlan, storage: Path) -> PlannedSuite:
    """The data of a plan that was made before.

    Raises:
        InputError: it is gone, or has changed.
    """
    root = Path(plan.data_root) if plan.data_root else None
    data = {}
    for recipe in (*(row.recipe for row in plan.rows), *plan.teachers, *plan.given):
        key = content_hash(recipe.dataset.plain())
        if key not in data:
            data[key] = prepare(recipe.dataset, storage, root)
            data[key].check_content(plan.data.get(key, ""), plan.study)
    return PlannedSuite(plan, data)


class _Planner:
    """Resolves row after row, and looks at each dataset and each pair of detectors once."""

    def __init__(self, request: SuiteRequest, storage: Path, root: Path | None, need_data: bool) -> None:
        self.request, self.storage, self.root, self.need_data = request, storage, root, need_data
        self.data: dict[str, Prepared] = {}
        self.teachers: dict[str, Recipe] = {}
        self.infos: dict[str, tuple[DetectorInfo, DetectorInfo]] = {}
        self.given: dict[tuple[str, str], Recipe] = {}
        self.sources = given_teachers(request.teacher)
        self.used: set[str] = set()

    def row(self, row: RowSpec, spec: SuiteSpec, grade: GradeSpec) -> PlannedRow:
        where = f"suite {spec.name}, row {row.id}"
        task = load_task(row.task or str(spec.task), {**row.set, **grade.set, **self.request.set})
        training = {**row.training, **grade.training}
        classes = self._classes(task.dataset)
        infos = self._look(task, classes)
        if row.role == "teacher":
            recipe = _teachers_row(task, training, self.request.seed)
            return PlannedRow(id=row.id, recipe=recipe, published=row.published, note=row.note)
        resolved = resolve_method(row.method, row.params, infos, f"{where}, params")
        reference = self._teacher(task, classes, train=resolved.needs_teacher)
        used = reference if resolved.needs_teacher else None
        recipe = task_recipe(task, resolved.method.name, resolved.params, training, used, self.request.seed)
        known = reference.id if reference else None
        return PlannedRow(id=row.id, recipe=recipe, teacher=known, published=row.published, note=row.note)

    def check_teachers(self) -> None:
        """Refuse a --teacher for a task that no row has."""
        unknown = sorted(set(self.sources) - self.used - {""})
        if unknown:
            raise InputError(
                f"--teacher {unknown[0]}=...: no row is on that task; {did_you_mean(unknown[0], self.used)}"
            )

    def _teacher(self, task: TaskSpec, classes: tuple[str, ...], *, train: bool) -> TeacherRef:
        self.used.add(task.name)
        source = self.sources.get(task.name, self.sources.get("", "train"))
        if source != "train":
            given = teachers.given_teacher(self.storage, task, source, classes)
            self.given.setdefault((task.name, given.id), given_teacher_recipe(task, given))
            return given
        reference = teachers.trained_teacher(task)
        if train:
            self.teachers[reference.id] = teacher_recipe(task)
        return reference

    def _classes(self, spec: DatasetSpec) -> tuple[str, ...]:
        key = content_hash(spec.plain())
        if key not in self.data and (self.need_data or self.root is not None or spec.kind == "shapes"):
            self.data[key] = prepare(spec, self.storage, self.root, self.request.max_bad)
        if key in self.data:
            return self.data[key].classes
        return spec.classes or (PERSON if spec.kind == "crowdhuman" else ASSUMED_CLASSES)

    def _look(self, task: TaskSpec, classes: tuple[str, ...]) -> tuple[DetectorInfo, DetectorInfo]:
        key = content_hash([task.student.plain(), task.teacher.plain(), task.metric, len(classes)])
        if key not in self.infos:
            self.infos[key] = look_at_models(task, classes)
        return self.infos[key]


def _same(one: SuitePlan, other: SuitePlan) -> bool:
    """Whether two plans are of the same work, wherever and however it runs."""
    aside = {"study", "resources", "tracking_uri"}
    return one.model_dump(exclude=aside) == other.model_dump(exclude=aside)


def _teachers_row(task: TaskSpec, training: dict[str, Any], seed: int) -> Recipe:
    """Plain training of the teacher's detector with the student's schedule: for tables that have the teacher's rows."""
    alone = task.model_copy(update={"student": task.teacher, "floor": None})
    return task_recipe(alone, "none", {}, training, None, seed)
