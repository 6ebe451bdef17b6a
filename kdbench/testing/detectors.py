"""Small synthetic detectors and batches for tests: seconds on one core, no files, no network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from kdbench.detectors import configs, models
from kdbench.methods.base import DetectorInfo
from kdbench.training import batches

Family = Literal["one_stage", "two_stage"]
CLASSES = ("circle", "square", "star")
_CONFIGS = {
    "one_stage": "retinanet/retinanet_r50_fpn_1x_coco",
    "two_stage": "faster_rcnn/faster_rcnn_r50_fpn_1x_coco",
}


def model_config(family: Family, width: int = 16, channels: int = 32) -> Any:
    """mmdet configuration of a ResNet-18 of base `width` with `channels` in the FPN; batch normalisation is trained."""
    backbone = {"depth": 18, "base_channels": width, "stem_channels": width, "frozen_stages": -1}
    overrides: dict[str, Any] = {f"model.backbone.{key}": value for key, value in backbone.items()}
    overrides["model.neck.in_channels"] = [width * 2**stage for stage in range(4)]
    overrides["model.neck.out_channels"] = channels
    if family == "one_stage":
        head = "model.bbox_head"
        overrides |= {f"{head}.in_channels": channels, f"{head}.feat_channels": channels, f"{head}.stacked_convs": 1}
    else:
        roi = "model.roi_head"
        overrides |= {
            "model.rpn_head.in_channels": channels,
            "model.rpn_head.feat_channels": channels,
            f"{roi}.bbox_roi_extractor.out_channels": channels,
            f"{roi}.bbox_head.in_channels": channels,
            f"{roi}.bbox_head.fc_out_channels": 32,
            "model.train_cfg.rcnn.sampler.num": 48,
            "model.train_cfg.rpn_proposal.nms_pre": 200,
            "model.train_cfg.rpn_proposal.max_per_img": 100,
        }
    cfg = configs.load_model_config(_CONFIGS[family], overrides)
    configs.set_num_classes(cfg, len(CLASSES))
    configs.set_norm(cfg, "BN", frozen=False)
    configs.drop_pretrained(cfg)
    return cfg


def detector(family: Family, width: int = 16, channels: int = 32, seed: int = 0) -> tuple[nn.Module, DetectorInfo]:
    """A detector of one's own (equal arguments give equal weights), and its description.

    Example:
        >>> student, info = detector("one_stage")
        >>> teacher, teacher_info = detector("one_stage", width=24, channels=48, seed=1)
    """
    model, description = _built(family, width, channels, seed)
    return copy.deepcopy(model), description


@cache
def _built(family: Family, width: int, channels: int, seed: int) -> tuple[nn.Module, DetectorInfo]:
    cfg = model_config(family, width, channels)
    model = models.build(cfg.model, seed)
    return model, models.info(model, cfg.model)


def batch(
    boxes: Sequence[int] = (2, 3),
    size: tuple[int, int] = (64, 96),
    seed: int = 0,
    ignored: int = 0,
    padding: int = 8,
) -> dict[str, Any]:
    """Noise images as mmcv's loader collates them.

    Args:
        boxes: how many objects on each image.
        size: padded height and width in pixels.
        ignored: crowd boxes on each image.
        padding: rows and columns at the bottom and right that are padding.
    """
    rng = np.random.RandomState(seed)
    height, width = size
    shape = (height - padding, width - padding, 3)
    meta = {"img_shape": shape, "pad_shape": (height, width, 3), "ori_shape": shape, "filename": "noise"}
    images, labels = [], []
    objects, crowds = [], []
    for count in boxes:
        image = torch.from_numpy(rng.randn(3, height, width).astype(np.float32))
        image[:, shape[0] :], image[:, :, shape[1] :] = 0, 0
        images.append(image)
        objects.append(_boxes(rng, count, shape))
        labels.append(torch.from_numpy(rng.randint(0, len(CLASSES), count).astype(np.int64)))
        crowds.append(_boxes(rng, ignored, shape))
    metas = [{**meta, "scale_factor": np.ones(4, np.float32), "flip": False} for _ in boxes]
    return batches.collate(images, metas, gt_bboxes=objects, gt_labels=labels, gt_bboxes_ignore=crowds)


def synthetic_batches(
    count: int, samples: int, size: tuple[int, int], num_classes: int, boxes: int = 8, seed: int = 0
) -> list[dict[str, Any]]:
    """Batches of noise at a real size (padded to a multiple of 32), for measuring time.

    Args:
        size: height and width in pixels before padding.
    """
    height, width = (-(-side // 32) * 32 for side in size)
    made = []
    for index in range(count):
        data = batch((boxes,) * samples, (height, width), seed + index, padding=0)
        rng = np.random.RandomState(seed + index)
        labels = [torch.from_numpy(rng.randint(0, num_classes, boxes).astype(np.int64)) for _ in range(samples)]
        data["gt_labels"].data[0][:] = labels
        made.append(data)
    return made


def _boxes(rng: np.random.RandomState, count: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """`count` boxes inside the image, at least 6 pixels wide and high."""
    corners = rng.rand(count, 2) * (np.array([shape[1], shape[0]]) - 8)
    room = np.array([shape[1], shape[0]]) - corners
    ends = corners + np.maximum(6, rng.rand(count, 2) * room)
    ends = np.minimum(ends, [shape[1], shape[0]])
    return torch.from_numpy(np.concatenate([corners, ends], axis=1).astype(np.float32).reshape(-1, 4))
