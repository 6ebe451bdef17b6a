"""How long trainings take on this machine, from a few measured steps with random weights."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import track

from kdbench.data import Prepared
from kdbench.specs.recipe import Recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan

STEPS = 4
TEACHER = "teacher"


@dataclass(frozen=True)
class Measured:
    """One training, from a few steps.

    Attributes:
        seconds: of the whole training, its evaluations included.
        memory_gb: of the device, or of the process on a CPU.
        weights_mb: of the student that it leaves.
    """

    seconds: float
    memory_gb: float
    weights_mb: float


def look_at(recipe: Recipe, data: Prepared) -> Measured:
    """Take a few steps of a training and look at a few images of its evaluation."""
    from kdbench.training.probe import Probe

    probe = Probe(recipe, data)
    probe.step()  # the first one is slower
    began = time.perf_counter()
    for _ in range(STEPS):
        probe.step()
    step = (time.perf_counter() - began) / STEPS
    images = data.splits["train"].num_images * recipe.dataset.repeat
    batch = recipe.schedule.samples_per_gpu * recipe.schedule.gpus
    evaluation = probe.seconds_per_test_image() * data.splits["search"].num_images
    seconds = float(recipe.schedule.epochs) * (math.ceil(images / batch) * step + evaluation)
    return Measured(seconds, probe.memory_gb, probe.weights_mb)


@dataclass(frozen=True)
class Costs:
    """Device-hours of one training of each kind.

    Attributes:
        arms: by name; the baseline's too.
        teacher: None where none is trained.
        memory_gb: of the largest.
        weights_mb: of the largest student.
    """

    arms: dict[str, float] = field(default_factory=dict)
    teacher: float | None = None
    memory_gb: float = 0.0
    weights_mb: float = 0.0


def measure(plan: StudyPlan, data: Prepared, train_teacher: bool) -> Costs:
    """What one trial of each arm costs, with its published values, and the teacher's training."""

    recipes = {name: plan.recipe(name, {}, plan.seed) for name in plan.names()}
    if train_teacher:
        recipes[TEACHER] = teacher_recipe(plan.task)
    found = {
        name: look_at(recipe, data)
        for name, recipe in track(recipes.items(), "measuring steps", console=Console(stderr=True), transient=True)
    }
    hours = {name: one.seconds * recipes[name].schedule.gpus / 3600 for name, one in found.items()}
    most = {key: max(getattr(one, key) for one in found.values()) for key in ("memory_gb", "weights_mb")}
    return Costs({name: hours[name] for name in plan.names()}, hours.get(TEACHER), **most)


def with_costs(plan: StudyPlan, costs: Costs) -> StudyPlan:
    """The plan with what its trainings will cost: the board goes by it until it knows better."""
    arms = tuple(arm.model_copy(update={"hours": costs.arms[arm.name]}) for arm in plan.arms)
    more = {"teacher_hours": costs.teacher, "baseline_hours": costs.arms[BASELINE]}
    return plan.model_copy(update={"arms": arms, **more})


def text_of_hours(hours: float) -> str:
    """A duration for people."""
    return f"{hours:.1f} hours" if hours > 1.5 else f"{max(1, round(60 * hours))} minutes"
