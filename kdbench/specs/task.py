"""A task: what methods compete on. Student, teacher, dataset with its splits, schedule and metric are fixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from kdbench.errors import InputError, did_you_mean
from kdbench.specs import metrics, resources
from kdbench.specs.base import Name, Spec, load_yaml
from kdbench.specs.dataset import DatasetSpec
from kdbench.specs.training import ModelSpec, PipelineSpec, ScheduleSpec

TrainingKey = Literal["lr", "samples_per_gpu", "grad_clip", "norm"]


class BaselineSpec(Spec):
    """How the baseline (`none`) gets its training values: searched over `search` in `trials`, or fixed (trials 1).

    Attributes:
        search: the training values that are searched.
        trials: trainings of the baseline.
    """

    search: tuple[TrainingKey, ...] = ()
    trials: int = Field(1, ge=1)


class TaskSpec(Spec):
    """A file of benchmarks/tasks.

    Attributes:
        name: of the task; rows of one task are compared with each other.
        title: a line for people.
        data_root: folder of the data, relative to this file or absolute, where no --data-root is given. It differs between
            machines, so it is no part of a recipe's identity.
        dataset: the data, and its splits.
        pipeline: how images are brought into the network.
        student: the detector that is trained.
        teacher: the detector that it learns from.
        schedule: of the student's training.
        baseline: how plain training of the student gets its values.
        metric: what ranks: mAP (COCO, 0.50:0.95), segm_mAP (of masks), AP50_11 (VOC 2007), mMR (CrowdHuman), ...
        search_training: which of the shared training values a method's search varies beside its own parameters.
        floor: a value of the metric; a first evaluation that is worse ends a trial as infeasible (dead run). Null is none.
        noise: standard deviation of the metric over seeds on this task, where somebody knows it; a search that has no runs of
            several seeds to measure it by goes by this.
        teacher_schedule: what differs from `schedule` when the teacher is trained here.
    """

    name: Name
    title: str
    data_root: str | None = Field(None, exclude=True)
    dataset: DatasetSpec
    pipeline: PipelineSpec
    student: ModelSpec
    teacher: ModelSpec
    schedule: ScheduleSpec
    teacher_schedule: dict[str, Any] = {}
    metric: str = Field("mAP", json_schema_extra={"enum": list(metrics.NAMES)})
    floor: float | None = Field(None, ge=0, le=1)
    noise: float | None = Field(None, ge=0, le=1)
    search_training: tuple[TrainingKey, ...] = ()
    baseline: BaselineSpec = BaselineSpec()

    @field_validator("metric")
    @classmethod
    def _metric_is_known(cls, metric: str) -> str:
        if metric not in metrics.NAMES:
            raise ValueError(f"no such metric; {did_you_mean(metric, metrics.NAMES)}")
        return metric

    @model_validator(mode="after")
    def _teacher_schedule_parses(self) -> TaskSpec:
        ScheduleSpec.model_validate({**self.schedule.model_dump(), **self.teacher_schedule})
        return self

    def full_teacher_schedule(self) -> ScheduleSpec:
        return ScheduleSpec.model_validate({**self.schedule.model_dump(), **self.teacher_schedule})


def load_task(name: str, changes: dict[str, Any] | None = None) -> TaskSpec:
    """A shipped task by name, or a task file by path; `changes` are dotted keys with values (--set).

    Raises:
        InputError: unknown name, broken YAML, unknown key; says where and the nearest known.
    """
    path = resources.find("benchmarks/tasks", name, "task")
    data = load_yaml(path)
    where = str(path)
    if changes and isinstance(data, dict):
        for key, value in changes.items():
            set_dotted(data, key, value)
        where = f"{path} with --set {', '.join(changes)}"
    task = TaskSpec.parse(data, where)
    return _absolute_configs(task, path.parent)


def set_dotted(data: dict[str, Any], key: str, value: Any) -> None:
    """Set `a.b.c` in nested dicts. What follows `student.model` or `teacher.model` is a path in the mmdet config."""
    parts = key.split(".")
    if len(parts) > 2 and parts[0] in ("student", "teacher") and parts[1] == "model":
        parts = [parts[0], "set", ".".join(parts[1:])]
    for part in parts[:-1]:
        inner = data.get(part)
        if not isinstance(inner, dict):
            inner = data[part] = {}
        data = inner
    data[parts[-1]] = value


def _absolute_configs(task: TaskSpec, base: Path) -> TaskSpec:
    """A model config given relative to the task file becomes absolute, so that a trial finds it anywhere."""
    updates: dict[str, Any] = {}
    for role in ("student", "teacher"):
        model: ModelSpec = getattr(task, role)
        for candidate in (base / model.config, Path(model.config).expanduser()):
            if candidate.suffix == ".py" and candidate.is_file():
                updates[role] = model.model_copy(update={"config": str(candidate.resolve())})
                break
    if task.data_root is not None:
        updates["data_root"] = str(base / Path(task.data_root).expanduser())
    return task.model_copy(update=updates)


def data_folder(given: str | None, *tasks: TaskSpec) -> Path | None:
    """The folder of the data, absolute: the one that was given, else the one that the tasks name.

    Raises:
        InputError: the tasks name different ones.
    """
    named = {task.data_root: task.name for task in tasks if task.data_root is not None}
    if given is None and len(named) > 1:
        roots = " and ".join(f"{root} ({name})" for root, name in list(named.items())[:2])
        raise InputError(
            f"the tasks have different data roots: {roots}; give one folder that has both with --data-root"
        )
    root = given or next(iter(named), None)
    return Path(root).expanduser().absolute() if root else None
