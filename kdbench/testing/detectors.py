"""Small synthetic detectors and batches for tests: seconds on one core, no files, no network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from kdbench.data import batches
from kdbench.detectors import configs, models
from kdbench.methods.base import DetectorInfo

Family = Literal["one_stage", "two_stage", "fcos", "atss", "gfl", "mask", "cascade"]
"""RetinaNet, Faster R-CNN, FCOS, ATSS, GFL, Mask R-CNN, Cascade R-CNN."""
CLASSES = ("circle", "square", "star")
CONFIGS: dict[Family, str] = {
    "one_stage": "retinanet/retinanet_r50_fpn_1x_coco",
    "two_stage": "faster_rcnn/faster_rcnn_r50_fpn_1x_coco",
    "fcos": "fcos/fcos_r50_caffe_fpn_gn-head_1x_coco",
    "atss": "atss/atss_r50_fpn_1x_coco",
    "gfl": "gfl/gfl_r50_fpn_1x_coco",
    "mask": "mask_rcnn/mask_rcnn_r50_fpn_1x_coco",
    "cascade": "cascade_rcnn/cascade_rcnn_r50_fpn_1x_coco",
}
_TWO_STAGE = ("two_stage", "mask", "cascade")


def model_config(family: Family, width: int = 16, channels: int = 32) -> Any:
    """mmdet configuration of a ResNet-18 of base `width` with `channels` in the FPN; batch normalisation is trained."""
    backbone = {"depth": 18, "base_channels": width, "stem_channels": width, "frozen_stages": -1}
    overrides: dict[str, Any] = {f"model.backbone.{key}": value for key, value in backbone.items()}
    overrides["model.neck.in_channels"] = [width * 2**stage for stage in range(4)]
    overrides["model.neck.out_channels"] = channels
    overrides |= _two_stage_heads(family, channels) if family in _TWO_STAGE else _dense_head(family, channels)
    cfg = configs.load_model_config(CONFIGS[family], overrides)
    configs.set_num_classes(cfg, len(CLASSES))
    configs.set_norm(cfg, "BN", frozen=False)
    configs.drop_pretrained(cfg)
    return cfg


def _dense_head(family: Family, channels: int) -> dict[str, Any]:
    head = "model.bbox_head"
    overrides: dict[str, Any] = {
        f"{head}.in_channels": channels,
        f"{head}.feat_channels": 32,
        f"{head}.stacked_convs": 1,
    }
    if family != "one_stage":
        # Groups of several channels, so that a level of one cell has something to normalise over.
        overrides[f"{head}.norm_cfg"] = {"type": "GN", "num_groups": 8, "requires_grad": True}
    return overrides


def _two_stage_heads(family: Family, channels: int) -> dict[str, Any]:
    roi = "model.roi_head"
    overrides: dict[str, Any] = {
        "model.rpn_head.in_channels": channels,
        "model.rpn_head.feat_channels": channels,
        f"{roi}.bbox_roi_extractor.out_channels": channels,
        "model.train_cfg.rpn_proposal.nms_pre": 200,
        "model.train_cfg.rpn_proposal.max_per_img": 100,
    }
    boxes = [f"{roi}.bbox_head.{stage}" for stage in range(3)] if family == "cascade" else [f"{roi}.bbox_head"]
    for box in boxes:
        overrides |= {f"{box}.in_channels": channels, f"{box}.fc_out_channels": 32}
    stages = (
        [f"model.train_cfg.rcnn.{stage}" for stage in range(3)] if family == "cascade" else ["model.train_cfg.rcnn"]
    )
    overrides |= {f"{stage}.sampler.num": 48 for stage in stages}
    if family == "mask":
        overrides |= {
            f"{roi}.mask_roi_extractor.out_channels": channels,
            f"{roi}.mask_head.in_channels": channels,
            f"{roi}.mask_head.conv_out_channels": 16,
            f"{roi}.mask_head.num_convs": 1,
        }
    return overrides


def detector(family: Family, width: int = 16, channels: int = 32, seed: int = 0) -> tuple[nn.Module, DetectorInfo]:
    """A detector of one's own (equal arguments give equal weights), and its description.

    Example:
        >>> student, info = detector("one_stage")
        >>> teacher, teacher_info = detector("one_stage", width=24, channels=48, seed=1)
    """
    model, description = _built(family, width, channels, seed)
    return copy.deepcopy(model), description


def has_masks(family: Family) -> bool:
    """Does its training need instance masks?"""
    return family == "mask"


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
    masks: bool = False,
) -> dict[str, Any]:
    """Noise images as mmcv's loader collates them.

    Args:
        boxes: how many objects on each image.
        size: padded height and width in pixels.
        ignored: crowd boxes on each image.
        padding: rows and columns at the bottom and right that are padding.
        masks: with instance masks, which fill the boxes.
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
    data = batches.collate(images, metas, gt_bboxes=objects, gt_labels=labels, gt_bboxes_ignore=crowds)
    if masks:
        data["gt_masks"] = batches.collated_masks([_filled(boxes, size) for boxes in objects])
    return data


def _filled(boxes: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    painted = np.zeros((len(boxes), *size), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(painted, boxes.round().int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    return painted


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
