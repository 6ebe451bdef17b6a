"""From names and values that a user gave to what a recipe holds: detectors are looked at, methods checked against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdbench.methods import registry
from kdbench.methods.base import DetectorInfo, Method
from kdbench.specs import metrics
from kdbench.specs.task import TaskSpec


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
    """Build student and teacher once, with random weights: a config that does not build is found here.

    Raises:
        InputError: a config is wrong, or the task's metric does not fit the model or the data.
    """
    from kdbench.detectors import configs, models

    infos = []
    for role in ("student", "teacher"):
        spec = getattr(task, role)
        cfg = configs.load_model_config(spec.config, dict(spec.set))
        configs.set_num_classes(cfg, len(classes))
        configs.drop_pretrained(cfg)
        masks = bool(cfg.model.get("roi_head", {}).get("mask_head"))
        metrics.check(task.metric, classes=len(classes), masks=masks, where=f"task {task.name}, {role}")
        model = models.build(cfg.model, seed=0)
        infos.append(models.info(model, cfg.model))
        if role == "student":
            models.check_sizes(model, f"task {task.name}, {role}")
    return infos[0], infos[1]
