"""Put a recipe's student, teacher and method together into a distiller."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from mmcv.runner import wrap_fp16_model

from kdbench.detectors import configs, models, weights
from kdbench.detectors.inherit import inherit
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.specs.recipe import Recipe
from kdbench.training import seeds
from kdbench.training.distiller import Distiller
from kdbench.training.sync_bn import convert_sync_batchnorm_for_cpu

if TYPE_CHECKING:
    from mmcv import Config

    from kdbench.methods.base import BoxStatistics


def assemble(
    recipe: Recipe,
    cfg: Config,
    classes: tuple[str, ...],
    device: torch.device,
    teacher_weights: Path | None,
    *,
    random_teacher: bool = False,
    statistics: Callable[[], BoxStatistics] | None = None,
    logger: logging.Logger | None = None,
) -> Distiller:
    """The distiller of a recipe, on its device.

    Args:
        cfg: the recipe's mmdet configuration.
        random_teacher: a teacher with random weights will do, because only time is measured.
        statistics: gives those of the training annotations, for a method that wants them.
        logger: is told what the student inherits.

    Raises:
        InputError: weights that do not fit, or a method that does not suit the detectors.
    """
    student = models.build(cfg.model, seed=recipe.seed)
    student.CLASSES = classes  # type: ignore[assignment]  # what mmdet calls it
    if recipe.student.init:
        weights.load_weights(student, recipe.student.init, classes=classes, what="student.init")
    student_info = models.info(student, cfg.model)
    teacher, teacher_info = None, None
    if registry.get(recipe.method.name).needs_teacher:
        if recipe.teacher is None or (teacher_weights is None and not random_teacher):
            raise InputError(f"method {recipe.method.name} needs a teacher and the recipe names none; add one")
        teacher_cfg = configs.teacher_model(recipe.teacher.config, dict(recipe.teacher.set), len(classes))
        teacher = models.build(teacher_cfg.model, seed=0)
        if teacher_weights is not None:
            weights.load_weights(teacher, str(teacher_weights), classes=classes, what="teacher")
        teacher_info = models.info(teacher, teacher_cfg.model)
    with _own_stream(recipe.seed):
        method = registry.build(recipe.method.name, recipe.method.params, student_info, teacher_info)
    if teacher is not None:
        copied, skipped = inherit(student, teacher) if method.inherits else (0, 0)
        if logger:
            own = f", {skipped} have no equal there" if skipped else ""
            logger.info("the student starts with %d tensors of the teacher's neck and heads%s", copied, own)
    if method.wants_statistics and statistics is not None:
        method.statistics = statistics()
    if recipe.schedule.norm == "SyncBN" and device.type == "cpu":
        student = convert_sync_batchnorm_for_cpu(student)
    if recipe.schedule.fp16:
        wrap_fp16_model(student)
    dtype = torch.float16 if recipe.schedule.fp16 else None
    distiller = Distiller(student, method, teacher, autocast_dtype=dtype, seed=recipe.seed)
    distiller.to(device)
    distiller.place_teacher()
    return distiller


@contextmanager
def _own_stream(seed: int) -> Iterator[None]:
    """A method's adapters draw their first values from a stream of their own: the student's goes on undisturbed."""
    state = seeds.rng_state()
    seeds.seed_everything(seed + 1_000_003)
    try:
        yield
    finally:
        seeds.set_rng_state(state)
