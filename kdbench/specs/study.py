"""A study's plan: everything that a search was started with, resolved. Written once into the study's folder."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from kdbench.specs.base import Spec
from kdbench.specs.recipe import Recipe, TeacherRef, task_recipe
from kdbench.specs.space import Domain, SpaceSpec, training_space
from kdbench.specs.task import TaskSpec

Algorithm = Literal["optuna", "gp", "random", "grid"]
Scheduler = Literal["asha", "promote", "median", "none"]
Allocation = Literal["halving", "equal"]
BASELINE = "none"
FIRST_VERSION = 1
"""Studies of one method, as kdbench wrote them first; they go on by the rules that they were begun with."""


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


class Known(Spec):
    """A trial of another study on the same task: the sampler knows it, nobody trains it.

    Attributes:
        source: STUDY/TRIAL.
        reports: epoch -> value of the task's metric.
    """

    source: str
    proposal: dict[str, Any]
    end: str | None
    value: float | None
    reports: dict[int, float] = {}


class Point(Spec):
    """Values that an arm tries right after the published ones; `source` says where they were taken from."""

    source: str
    proposal: dict[str, Any]


class Arm(Spec):
    """A method with its space, inside a study. The baseline is an arm too, but has no entry: the task describes it.

    Attributes:
        name: as the user named it: a method, or one of its presets.
        taught: whether it needs the study's teacher.
        fixed: parameters of the method that are not searched (--set, presets).
        defaults: every parameter's published value.
        points: tried after the published values, before the sampler proposes.
        known: trials of other studies that the sampler is told.
        hours: device-hours of one trial by steps measured before the start; null where nobody measured.
    """

    name: str
    method: str
    taught: bool = True
    fixed: dict[str, Any] = {}
    space: SpaceSpec
    defaults: dict[str, Any] = {}
    points: tuple[Point, ...] = ()
    known: tuple[Known, ...] = ()
    hours: float | None = None


class StudyPlan(Spec):
    """The file study.yaml of a study's folder.

    Attributes:
        arms: the methods that are searched; none where the baseline alone is.
        trials: of all arms together; the baseline's, the finalists' and the teacher's training come on top. Null where
            `hours` alone is the budget.
        hours: device-hours of everything.
        allocate: who gets how many trials.
        finalists: how many arms send their best recipe into the race; the baseline's goes always. Null: three.
        seeds: above 1, the most seeds that a finalist may have.
        prior: share of the proposals before the sampler knows enough that are drawn around the published values.
        patience: stop proposing after so many trials of every arm without a gain; null: never.
        noise: standard deviation of the metric over seeds on this task, where it is known.
        reuse: trainings of the same recipe are taken over.
        teacher_train: the teacher is trained by this study unless the store has it.
        teacher_hours: of its training, by steps measured before the start.
        baseline_hours: of a plain training, likewise.
        data: identity of the dataset's annotations; a study whose data has changed is not gone on with.
    """

    version: int = 2
    study: str
    task: TaskSpec
    arms: tuple[Arm, ...] = ()
    detector: str
    trials: int | None = Field(None, ge=1)
    hours: float | None = Field(None, gt=0)
    allocate: Allocation = "equal"
    finalists: int | None = Field(None, ge=1)
    seeds: int = Field(1, ge=1)
    seed: int = Field(0, ge=0, lt=2**31)
    algorithm: Algorithm = "optuna"
    scheduler: Scheduler = "none"
    prior: float = Field(0.5, ge=0, le=1)
    patience: int | None = Field(None, ge=1)
    noise: float | None = Field(None, ge=0)
    reuse: bool = True
    resources: Resources = Resources()
    teacher: TeacherRef | None = None
    teacher_train: bool = False
    teacher_hours: float | None = None
    baseline_hours: float | None = None
    data_root: str | None = None
    data: str = ""
    tracking_uri: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_first_version(cls, data: Any) -> Any:
        """A plan of version 1 has the keys of its one arm beside the others."""
        if not isinstance(data, dict) or "method" not in data:
            return data
        own = {key: data[key] for key in ("method", "fixed", "space", "defaults") if key in data}
        rest = {key: value for key, value in data.items() if key not in own}
        arm = {**own, "name": own["method"], "taught": data.get("teacher") is not None}
        arms = [] if own["method"] == BASELINE else [arm]
        return {"prior": 0.0, "reuse": False, **rest, "version": FIRST_VERSION, "arms": arms}

    @model_validator(mode="after")
    def _arms_have_names_of_their_own(self) -> Self:
        names = self.names()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two arms are called {twice[0]}")
        return self

    def names(self) -> list[str]:
        """Of every arm, the baseline first."""
        return [BASELINE, *(arm.name for arm in self.arms)]

    def arm(self, name: str) -> Arm | None:
        """The arm of that name; None for the baseline."""
        return next((arm for arm in self.arms if arm.name == name), None)

    @property
    def title(self) -> str:
        """The arms, in a few words."""
        names = [arm.name for arm in self.arms] or [BASELINE]
        return ", ".join(names) if len(names) <= 3 else f"{len(names)} methods"

    def domains(self, name: str) -> dict[str, Domain]:
        """What the search of an arm varies; training values are named `training.<key>`."""
        arm = self.arm(name)
        own = arm.space.params if arm else {}
        shared = self.task.search_training if arm else self.task.baseline.search
        return {**own, **{f"training.{key}": domain for key, domain in training_space(shared).items()}}

    def fixed(self, name: str) -> dict[str, Any]:
        """The parameters of an arm that are not searched."""
        arm = self.arm(name)
        return arm.fixed if arm else {}

    def first(self, name: str) -> dict[str, Any]:
        """The published values, and the task's own training values: the first trial."""
        arm = self.arm(name)
        own = {**arm.defaults, **arm.fixed} if arm else {}
        training = {"lr": 1.0, **{k: getattr(self.task.schedule, k) for k in ("samples_per_gpu", "grad_clip", "norm")}}
        return {**own, **{f"training.{key}": value for key, value in training.items()}}

    @property
    def baselines(self) -> int:
        """How many trials the baseline has: one is enough where nothing is searched."""
        return self.task.baseline.trials if self.domains(BASELINE) else 1

    @property
    def race(self) -> int:
        """How many arms send a finalist, the baseline besides."""
        return min(self.finalists or 3, len(self.arms))

    @property
    def processes(self) -> int:
        """Of the largest training."""
        schedules = [self.task.schedule, *([self.task.full_teacher_schedule()] if self.teacher_train else [])]
        return max(schedule.gpus for schedule in schedules)

    def recipe(self, name: str, proposal: dict[str, Any], seed: int) -> Recipe:
        """The recipe of a proposal of an arm."""
        arm, schedule = self.arm(name), self.task.schedule
        training = {k.removeprefix("training."): v for k, v in proposal.items() if k.startswith("training.")}
        if "lr" in training:
            training["lr"] = float(f"{schedule.lr * training['lr']:.6g}")
        if arm is None:
            return task_recipe(self.task, BASELINE, {}, training, None, seed)
        own = {k: v for k, v in proposal.items() if not k.startswith("training.")}
        params = {**arm.defaults, **arm.fixed, **own}
        return task_recipe(self.task, arm.method, params, training, self.teacher if arm.taught else None, seed)

    def changed(self, changes: dict[str, Any], where: str) -> StudyPlan:
        """The plan after `kdbench extend`: some of its keys are others."""
        return StudyPlan.parse({**self.model_dump(mode="json", by_alias=True), **changes}, where)
