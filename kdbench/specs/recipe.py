"""A recipe: all that one training needs, resolved, plain data. Its content hash is its identity everywhere."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kdbench.specs.base import Spec, content_hash
from kdbench.specs.dataset import DatasetSpec
from kdbench.specs.task import TaskSpec
from kdbench.specs.training import ModelSpec, PipelineSpec, ScheduleSpec


class TeacherRef(Spec):
    """Which teacher: its detector, and the identity of its weights (the folder under `teachers/`).

    Attributes:
        config: the detector's mmdet config.
        set: dotted path in it -> value.
        id: of the weights.
    """

    config: str
    set: dict[str, Any] = {}
    id: str


class MethodSpec(Spec):
    """A method with every one of its parameters.

    Attributes:
        name: of the method.
        params: parameter -> value.
    """

    name: str
    params: dict[str, Any] = {}


class Recipe(Spec):
    """One training. Machine-dependent things (data root, storage, threads) are no part of it.

    Attributes:
        version: of the form of this file.
        task: the task's name.
        dataset, pipeline, student, schedule, metric, floor: as in the task.
        teacher: null without one.
        method: with its parameters.
        seed: of the training.
    """

    version: int = 1
    task: str
    dataset: DatasetSpec
    pipeline: PipelineSpec
    student: ModelSpec
    teacher: TeacherRef | None = None
    method: MethodSpec
    schedule: ScheduleSpec
    metric: str
    floor: float | None = None
    seed: int = Field(0, ge=0, lt=2**31)

    @property
    def detectors(self) -> tuple[str, ...]:
        """The configs of student and teacher."""
        return (self.student.config, self.teacher.config) if self.teacher else (self.student.config,)

    @property
    def hash(self) -> str:
        """The identity: 12 hex digits of the SHA-256 of the canonical JSON."""
        return content_hash(self.plain())

    @property
    def config_hash(self) -> str:
        """The identity without the seed: recipes that differ only in their seed share it."""
        return content_hash({key: value for key, value in self.plain().items() if key != "seed"})


def task_recipe(
    task: TaskSpec, method: str, params: dict[str, Any], training: dict[str, Any], teacher: TeacherRef | None, seed: int
) -> Recipe:
    """The recipe of `method` on `task` with these parameters; `training` replaces values of the schedule."""
    schedule = ScheduleSpec.parse({**task.schedule.model_dump(), **training}, f"task {task.name}, training values")
    return Recipe(
        task=task.name,
        dataset=task.dataset,
        pipeline=task.pipeline,
        student=task.student,
        teacher=teacher,
        method=MethodSpec(name=method, params=params),
        schedule=schedule,
        metric=task.metric,
        floor=task.floor,
        seed=seed,
    )


def teacher_recipe(task: TaskSpec, seed: int = 0) -> Recipe:
    """The recipe that trains the task's teacher: plain training of the teacher's detector."""
    return Recipe(
        task=task.name,
        dataset=task.dataset,
        pipeline=task.pipeline,
        student=task.teacher,
        method=MethodSpec(name="none"),
        schedule=task.full_teacher_schedule(),
        metric=task.metric,
        seed=seed,
    )


def given_teacher_recipe(task: TaskSpec, teacher: TeacherRef) -> Recipe:
    """What the weights of a given teacher are evaluated with; nothing is trained.

    The reference to its weights keeps its hash apart from that of the teacher that kdbench would train.
    """
    return teacher_recipe(task).model_copy(update={"teacher": teacher})
