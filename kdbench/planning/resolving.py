"""From names and values that a user gave to what a recipe holds: detectors are looked at, methods checked against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.specs import metrics
from kdbench.specs.task import TaskSpec
from kdbench.specs.training import ModelSpec

if TYPE_CHECKING:
    from kdbench.methods.base import DetectorInfo, Method

MEAN_MARGIN, STD_MARGIN = 3.0, 3.0
"""Grey levels by which two ways to normalise may differ: the means of caffe-style weights are given as 102.98 and as 103.53."""


@dataclass(frozen=True)
class ResolvedMethod:
    """A method with every parameter, checked against the detectors."""

    method: type[Method]
    params: dict[str, Any]

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher has to be there."""
        return bool(self.method.needs_teacher)


def resolve_method(
    name: str, params: dict[str, Any], infos: tuple[DetectorInfo, DetectorInfo], where: str
) -> ResolvedMethod:
    """A method or preset with its defaults for these detectors and the given parameters.

    Args:
        infos: of student and teacher.

    Raises:
        InputError: unknown name or key, a value out of range, or detectors that the method does not suit.
    """
    method, preset = registry.resolve(name)
    student, teacher = infos
    values = {**method.Params().plain(), **method.default_params(student), **preset, **params}
    parsed = registry.parse_params(method.name, values, where)
    method.check(parsed, student, teacher if method.needs_teacher else None)
    return ResolvedMethod(method, parsed.plain())


def look_at_models(task: TaskSpec, classes: Sequence[str]) -> tuple[DetectorInfo, DetectorInfo]:
    """Build student and teacher once, as their trainings do but with random weights: what does not build is found here.

    Raises:
        InputError: a config is wrong, or the task's metric does not fit the model or the data.
    """
    from kdbench.detectors import configs, models, needs
    from kdbench.training.augmenting import check_transforms

    check_transforms(task.pipeline, f"task {task.name}")
    infos = []
    for role in ("student", "teacher"):
        spec = getattr(task, role)
        schedule = task.schedule if role == "student" else task.full_teacher_schedule()
        where = f"task {task.name}, {role}"
        try:
            cfg = configs.trained_model(spec, len(classes), schedule, role)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        _check_normalisation(task, role, spec, configs.normalisation(cfg))
        configs.drop_pretrained(cfg)
        masks = needs.has_masks(cfg)
        metrics.check(task.metric, classes=len(classes), masks=masks, boxes=needs.gives_boxes(cfg), where=where)
        model = models.build(cfg.model, seed=0)
        infos.append(models.info(model, cfg.model))
        if role == "student":
            models.check_sizes(model, where)
    return infos[0], infos[1]


def _check_normalisation(task: TaskSpec, role: str, spec: ModelSpec, own: dict[str, Any] | None) -> None:
    """Refuse images that are normalised otherwise than the config's own initial weights expect.

    Raises:
        InputError: with what to set.
    """
    changed = any(key == "model.pretrained" or "init_cfg" in key for key in spec.set)
    if not spec.pretrained or changed or own is None:
        return
    pipeline = task.pipeline
    alike = own["to_rgb"] == pipeline.to_rgb
    for ours, theirs, margin in ((pipeline.mean, own["mean"], MEAN_MARGIN), (pipeline.std, own["std"], STD_MARGIN)):
        alike = alike and all(abs(a - b) <= margin for a, b in zip(ours, theirs, strict=True))
    if not alike:
        wanted = [f"pipeline.{key}={str(value).lower().replace(' ', '')}" for key, value in own.items()]
        raise InputError(
            f"task {task.name}, {role}: {spec.config} has initial weights for images that are normalised otherwise than the "
            f"task's pipeline does; set {' '.join(wanted)}, or choose a config (student and teacher alike) of the same style"
        )
