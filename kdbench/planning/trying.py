"""A real training step and the detections of one image, before anything is trained: what would fail is found by the plan.

Each training that is planned is tried once with random weights, at the task's scale: the student with its method and
teacher, and the teacher where it is trained here. Random streams are left as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kdbench.data import Prepared
from kdbench.errors import InputError, KDBenchError
from kdbench.specs.base import content_hash
from kdbench.specs.recipe import Recipe, TeacherRef, task_recipe, teacher_recipe
from kdbench.specs.task import TaskSpec

if TYPE_CHECKING:
    from torch import nn

LARGE = 512 * 512
"""Pixels of an image from which one is enough for a step: on a CPU it takes tens of seconds."""
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class Attempts:
    """Tries trainings, each kind of them once.

    Args:
        here: the trainings run on this machine: initial weights that it cannot fetch are refused. On a cluster the
            other machines may have them.
    """

    def __init__(self, here: bool = True) -> None:
        self.here = here
        self.done: set[str] = set()

    def task(
        self,
        task: TaskSpec,
        data: Prepared,
        method: str,
        params: dict[str, Any],
        teacher: TeacherRef | None,
        train: bool,
    ) -> None:
        """Try a method on a task, and the teacher's own training if it is to be trained.

        Raises:
            InputError: a step or an image fails; names the detector, what failed, and what can be done.
        """
        recipe = task_recipe(task, method, params, {}, teacher, 0)
        self(recipe, data, "student", teacher_too=not train)
        if teacher is not None and train:
            self(teacher_recipe(task), data, "teacher")

    def __call__(self, recipe: Recipe, data: Prepared, role: str, teacher_too: bool = False) -> None:
        """Try one recipe; one that differs in nothing that a step could fail by is tried already."""
        key = _kind(recipe)
        if key not in self.done:
            self.done.add(key)
            try_recipe(recipe, data, role, teacher_too=teacher_too, here=self.here)


def try_recipe(recipe: Recipe, data: Prepared, role: str, *, teacher_too: bool = False, here: bool = True) -> None:
    """A training step of a recipe and the detections of one image.

    Args:
        role: student or teacher, as the error calls it.
        teacher_too: let its teacher look at the image as well.

    Raises:
        InputError: one of them fails.
    """
    import torch

    from kdbench.training.probe import Probe

    width, height = recipe.pipeline.image_scale
    images = 1 if width * height >= LARGE else min(2, recipe.schedule.samples_per_gpu)
    where = f"task {recipe.task}, {role} {recipe.student.config}"
    method = "" if recipe.method.name == "none" else f" with method {recipe.method.name}"
    with _own_streams():
        with _in_one_line(where, f"is built{method}", recipe):
            probe = Probe(_for_a_look(recipe, here), data, "cpu", images=images)
        with _in_one_line(where, f"takes a training step{method}", recipe):
            probe.step()
        with _in_one_line(where, "detects objects on an image", recipe):
            _check(probe.evaluate_one(probe.distiller.student), len(data.classes))
        teacher: nn.Module | None = probe.distiller.teacher if teacher_too else None
        if teacher is not None and recipe.teacher is not None:
            where = f"task {recipe.task}, teacher {recipe.teacher.config}"
            with _in_one_line(where, "detects objects on an image", recipe):
                _check(probe.evaluate_one(teacher), len(data.classes))
        del probe
        torch.cuda.empty_cache() if torch.cuda.is_initialized() else None


def _for_a_look(recipe: Recipe, here: bool) -> Recipe:
    """The recipe in single precision, as this machine's CPU has it; without initial weights that only others have."""
    schedule = recipe.schedule.model_copy(update={"fp16": False})
    student = recipe.student if here else recipe.student.model_copy(update={"pretrained": False, "init": None})
    return recipe.model_copy(update={"schedule": schedule, "student": student})


def _kind(recipe: Recipe) -> str:
    """What a step may fail by: data, pipeline, detectors, method, normalisation. Not its numbers."""
    plain = recipe.plain()
    schedule = {key: plain["schedule"][key] for key in ("norm", "norm_frozen")}
    teacher = recipe.teacher.model_dump(exclude={"id"}) if recipe.teacher else None
    keys = ("dataset", "pipeline", "student")
    return content_hash([*(plain[key] for key in keys), recipe.method.name, schedule, teacher])


def _check(results: list[Any], classes: int) -> None:
    """See that detections have the form that is scored: boxes of each class, and masks beside them if any.

    Raises:
        ValueError: they have another.
    """
    for result in results:
        boxes = result[0] if isinstance(result, tuple) else result
        if not isinstance(boxes, list) or len(boxes) != classes:
            raise ValueError(f"gives {type(boxes).__name__} in place of boxes for each of {classes} classes")


@contextmanager
def _in_one_line(where: str, what: str, recipe: Recipe) -> Iterator[None]:
    """Turn what goes wrong inside mmdet into one line; a lack of memory here says nothing about where it is trained."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith("task ") else f"{where}: {text}") from error
    except KDBenchError as error:  # an operator that is not there
        raise InputError(f"{where}: {error}; or take a config without it") from error
    except MemoryError:
        return
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0][:240]
        if any(sign in line for sign in OUT_OF_MEMORY):
            return
        fault = f"{type(error).__name__}: {line}" if line else type(error).__name__
        raise InputError(f"{where}: fails where it {what} ({fault}); {_way_out(recipe)}") from error


def _way_out(recipe: Recipe) -> str:
    """What can be done: the padding that the config's own pipeline has, or another config."""
    from kdbench.detectors import configs

    divisor = configs.pad_divisor(configs.load_model_config(recipe.student.config, dict(recipe.student.set)))
    if divisor and recipe.pipeline.pad_divisor % divisor:
        return f"its config pads images to multiples of {divisor}: set pipeline.pad_divisor={divisor}"
    return "correct the config or its overrides, or take another detector (--debug shows where)"


@contextmanager
def _own_streams() -> Iterator[None]:
    """Leave the caller's random streams as they were."""
    from kdbench.training import seeds

    state = seeds.rng_state()
    seeds.seed_everything(0)
    try:
        yield
    finally:
        seeds.set_rng_state(state)
