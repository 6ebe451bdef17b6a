"""A study's plan: everything that a search was started with, resolved. Written once into the study's folder."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from kdbench.specs.base import Spec
from kdbench.specs.recipe import Recipe, TeacherRef, task_recipe
from kdbench.specs.space import Domain, SpaceSpec, training_space
from kdbench.specs.task import TaskSpec

Algorithm = Literal["optuna", "random", "grid"]
Scheduler = Literal["asha", "none"]
BASELINE = "none"


class Resources(Spec):
    """What each process of a trial takes, and how many trials run at once.

    Attributes:
        concurrent: null is as many as fit.
        cpus: CPU cores of a process; its torch threads.
        gpus: GPUs of a process, a fraction when several share one; 0 trains on the CPU.
    """

    concurrent: int | None = Field(None, ge=1)
    cpus: float = Field(1, gt=0)
    gpus: float = Field(0, ge=0)


class StudyPlan(Spec):
    """The file study.yaml of a study's folder.

    Attributes:
        fixed: parameters of the method that are not searched (--set method.x=v, presets).
        seeds: above 1, the best recipe of the method and of the baseline are trained with that many seeds in all.
        teacher_train: the teacher is trained by this study unless the store has it.
        data: identity of the dataset's annotations; a study whose data has changed is not gone on with.
    """

    version: int = 1
    study: str
    task: TaskSpec
    method: str
    fixed: dict[str, Any] = {}
    space: SpaceSpec
    defaults: dict[str, Any] = {}
    detector: str
    trials: int = Field(ge=1)
    seeds: int = Field(1, ge=1)
    seed: int = Field(0, ge=0, lt=2**31)
    algorithm: Algorithm = "optuna"
    scheduler: Scheduler = "none"
    resources: Resources = Resources()
    teacher: TeacherRef | None = None
    teacher_train: bool = False
    data_root: str | None = None
    data: str = ""
    tracking_uri: str | None = None

    def domains(self, arm: str) -> dict[str, Domain]:
        """What the search of an arm (the method, or `none`) varies; training values are named `training.<key>`."""
        own = self.space.params if arm == self.method else {}
        shared = self.task.baseline.search if arm == BASELINE else self.task.search_training
        return {**own, **{f"training.{key}": domain for key, domain in training_space(shared).items()}}

    def first(self, arm: str) -> dict[str, Any]:
        """The published values, and the task's own training values: the first trial."""
        own = {**self.defaults, **self.fixed} if arm == self.method else {}
        training = {"lr": 1.0, **{k: getattr(self.task.schedule, k) for k in ("samples_per_gpu", "grad_clip", "norm")}}
        return {**own, **{f"training.{key}": value for key, value in training.items()}}

    def count(self, arm: str) -> int:
        """How many trials an arm has: one is enough where nothing is searched."""
        if arm == self.method:
            return self.trials
        return self.task.baseline.trials if self.domains(BASELINE) else 1

    @property
    def processes(self) -> int:
        """Of the largest training."""
        schedules = [self.task.schedule, *([self.task.full_teacher_schedule()] if self.teacher_train else [])]
        return max(schedule.gpus for schedule in schedules)

    def arms(self) -> list[str]:
        return [BASELINE] if self.method == BASELINE else [BASELINE, self.method]

    def recipe(self, arm: str, proposal: dict[str, Any], seed: int) -> Recipe:
        """The recipe of a proposal of an arm."""
        schedule = self.task.schedule
        training = {k.removeprefix("training."): v for k, v in proposal.items() if k.startswith("training.")}
        if "lr" in training:
            training["lr"] = float(f"{schedule.lr * training['lr']:.6g}")
        params: dict[str, Any] = {}
        if arm == self.method:
            own = {k: v for k, v in proposal.items() if not k.startswith("training.")}
            params = {**self.defaults, **self.fixed, **own}
        teacher = self.teacher if arm == self.method else None
        return task_recipe(self.task, arm, params, training, teacher, seed)
