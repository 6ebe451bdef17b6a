"""A recipe as a real mmdet configuration, that plain mmdet builds and trains."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError
from kdbench.specs import metrics
from kdbench.specs.recipe import Recipe
from kdbench.specs.training import PipelineSpec, ScheduleSpec
from kdbench.training.augmenting import train_steps

if TYPE_CHECKING:
    from mmcv import Config

    from kdbench.data import Prepared


def mmdet_config(recipe: Recipe, data: Prepared) -> Config:
    """The student's mmdet configuration: model, data, optimizer, schedule, evaluation.

    Raises:
        InputError: the model config does not exist, an override leads nowhere, or the task's metric does not fit.
    """
    from kdbench.detectors import configs, needs
    from kdbench.training import family_pipelines as families

    cfg = configs.trained_model(recipe.student, len(data.classes), recipe.schedule)
    with_masks = needs.has_masks(cfg)
    where = f"task {recipe.task}, student"
    if with_masks and not data.masks:
        raise InputError(
            f"task {recipe.task}: the student has a mask head and the data no masks; set dataset.masks=true where the files have them"
        )
    metrics.check(recipe.metric, classes=len(data.classes), masks=with_masks, boxes=needs.gives_boxes(cfg), where=where)
    schedule = recipe.schedule
    cfg.data = _data(recipe, data, with_masks)
    families.fit(cfg)
    cfg.optimizer = optimizer(schedule)
    cfg.optimizer_config = {
        "grad_clip": {"max_norm": schedule.grad_clip, "norm_type": 2} if schedule.grad_clip else None
    }
    cfg.lr_config = learning_rate(schedule)
    cfg.runner = {"type": "EpochBasedRunner", "max_epochs": schedule.epochs}
    cfg.evaluation = {"interval": 1, "metric": ["bbox", "segm"] if with_masks else "bbox"}
    cfg.checkpoint_config = {"interval": 1}
    cfg.log_config = {"interval": 50, "hooks": [{"type": "TextLoggerHook"}]}
    cfg.workflow = [("train", 1)]
    cfg.load_from = recipe.student.init
    cfg.resume_from = None
    cfg.seed = recipe.seed
    cfg.dist_params = {"backend": "nccl"}
    cfg.log_level = "INFO"
    if schedule.fp16:
        cfg.fp16 = {"loss_scale": "dynamic"}
    return cfg


def _data(recipe: Recipe, data: Prepared, with_masks: bool) -> dict[str, Any]:
    # CrowdHuman's full bodies may leave the image, and are learnt as they are.
    train, test = pipelines(recipe.pipeline, with_masks, clip=recipe.dataset.kind != "crowdhuman")
    if data.unturned:
        for steps in (train, test):
            steps[0]["color_type"] = "color_ignore_orientation"

    def split(name: str, pipeline: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        files = data.splits[name]
        return {
            "type": "CocoDataset",
            "ann_file": str(files.annotations),
            "img_prefix": str(files.images),
            "classes": tuple(data.classes),
            "pipeline": pipeline,
            **more,
        }

    # Images without objects are part of the task: a detector has to learn that there may be nothing.
    training = split("train", train, filter_empty_gt=False)
    if recipe.dataset.repeat > 1:
        training = {"type": "RepeatDataset", "times": recipe.dataset.repeat, "dataset": training}
    return {
        "samples_per_gpu": recipe.schedule.samples_per_gpu,
        "workers_per_gpu": recipe.pipeline.workers,
        "train": training,
        "val": split("search", test, test_mode=True),
        "test": split("report", test, test_mode=True),
    }


def pipelines(
    spec: PipelineSpec, with_masks: bool, *, clip: bool = True
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """mmdet's train and test pipelines; `clip` cuts training boxes at the image's border."""
    normalize = {"type": "Normalize", "mean": list(spec.mean), "std": list(spec.std), "to_rgb": spec.to_rgb}
    pad = {"type": "Pad", "size_divisor": spec.pad_divisor}
    plain = [
        _resize(spec) | ({} if clip else {"bbox_clip_border": False}),
        {"type": "RandomFlip", "flip_ratio": spec.flip},
        normalize,
        pad,
    ]
    train: list[dict[str, Any]] = [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", "with_bbox": True, "with_mask": with_masks},
        *(train_steps(spec, clip=clip) if spec.train else plain),
        {"type": "DefaultFormatBundle"},
        {
            "type": "Collect",
            "keys": ["img", "gt_bboxes", "gt_labels", "gt_bboxes_ignore", *(["gt_masks"] if with_masks else [])],
        },
    ]
    test: list[dict[str, Any]] = [
        {"type": "LoadImageFromFile"},
        {
            "type": "MultiScaleFlipAug",
            "img_scale": tuple(spec.image_scale),
            "flip": False,
            "transforms": [
                {"type": "Resize", "keep_ratio": spec.keep_ratio},
                {"type": "RandomFlip"},
                normalize,
                pad,
                {"type": "ImageToTensor", "keys": ["img"]},
                {"type": "Collect", "keys": ["img"]},
            ],
        },
    ]
    return train, test


def _resize(spec: PipelineSpec) -> dict[str, Any]:
    width, height = spec.image_scale
    if not spec.short_sides:
        return {"type": "Resize", "img_scale": (width, height), "keep_ratio": spec.keep_ratio}
    scales = [(width, side) for side in spec.short_sides]
    return {"type": "Resize", "img_scale": scales, "multiscale_mode": "value", "keep_ratio": spec.keep_ratio}


def optimizer(schedule: ScheduleSpec) -> dict[str, Any]:
    values: dict[str, Any] = {"type": schedule.optimizer, "lr": schedule.lr, "weight_decay": schedule.weight_decay}
    if schedule.optimizer == "SGD":
        values["momentum"] = schedule.momentum
    # What is not used stays out: configs of before are written as they were.
    if schedule.nesterov:
        values["nesterov"] = True
    if schedule.betas is not None:
        values["betas"] = schedule.betas
    if schedule.paramwise:
        values["paramwise_cfg"] = copy.deepcopy(schedule.paramwise)
    return values


def learning_rate(schedule: ScheduleSpec) -> dict[str, Any]:
    """mmcv's lr_config."""
    if schedule.policy == "one_cycle":
        return {"policy": "OneCycle", "max_lr": schedule.lr, "pct_start": 0.3}
    warmup: dict[str, Any] = {}
    if schedule.warmup_iters:
        warmup = {"warmup": "linear", "warmup_iters": schedule.warmup_iters, "warmup_ratio": schedule.warmup_ratio}
    if schedule.policy == "cosine":
        return {"policy": "CosineAnnealing", "min_lr": 0.0, **warmup}
    return {"policy": "step", "step": list(schedule.steps) or [schedule.epochs + 1], "gamma": schedule.gamma, **warmup}
