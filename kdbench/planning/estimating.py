"""How long trainings take on this machine, from a few measured steps with random weights."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from kdbench.data import Prepared
from kdbench.specs.recipe import Recipe, teacher_recipe
from kdbench.specs.study import BASELINE, StudyPlan

STEPS = 4


def seconds_of(recipe: Recipe, data: Prepared) -> float:
    """Seconds of one training, from a few steps and a few images of evaluation."""
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
    return float(recipe.schedule.epochs) * (math.ceil(images / batch) * step + evaluation)


@dataclass(frozen=True)
class Costs:
    """Device-hours of one training of each kind.

    Attributes:
        arms: by name; the baseline's too.
        teacher: None where none is trained.
    """

    arms: dict[str, float] = field(default_factory=dict)
    teacher: float | None = None


def measure(plan: StudyPlan, data: Prepared, train_teacher: bool) -> Costs:
    """What one trial of each arm costs, with its published values, and the teacher's training."""

    def hours(recipe: Recipe) -> float:
        return seconds_of(recipe, data) * recipe.schedule.gpus / 3600

    arms = {BASELINE: hours(plan.recipe(BASELINE, {}, plan.seed))}
    arms |= {arm.name: hours(plan.recipe(arm.name, {}, plan.seed)) for arm in plan.arms}
    return Costs(arms, hours(teacher_recipe(plan.task)) if train_teacher else None)


def with_costs(plan: StudyPlan, costs: Costs) -> StudyPlan:
    """The plan with what its trainings will cost: the board goes by it until it knows better."""
    arms = tuple(arm.model_copy(update={"hours": costs.arms[arm.name]}) for arm in plan.arms)
    more = {"teacher_hours": costs.teacher, "baseline_hours": costs.arms[BASELINE]}
    return plan.model_copy(update={"arms": arms, **more})


def text_of_hours(hours: float) -> str:
    """A duration for people."""
    return f"{hours:.1f} hours" if hours > 1.5 else f"{max(1, round(60 * hours))} minutes"
