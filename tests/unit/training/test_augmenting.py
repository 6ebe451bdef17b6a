"""Transforms of a task in mmdet's train pipeline: built, run on an image, and refused where mmdet would not take them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import ops
from kdbench.errors import InputError
from kdbench.specs.training import PipelineSpec
from kdbench.training.augmenting import check_transforms, train_steps, with_tuples
from kdbench.training.config import pipelines

CROP = [
    {"type": "PhotoMetricDistortion"},
    {"type": "Resize", "img_scale": [[96, 48], [96, 64]], "multiscale_mode": "value", "keep_ratio": True},
    {"type": "RandomCrop", "crop_size": [40, 40], "allow_negative_crop": True},
]


def spec(train: list[dict[str, Any]], **more: Any) -> PipelineSpec:
    return PipelineSpec.parse({"image_scale": [96, 64], "train": train, **more}, "test")


def test_lists_of_numbers_are_tuples_where_mmdet_wants_them() -> None:
    step = {"type": "RandomFlip", "flip_ratio": [0.3, 0.5], "direction": ["horizontal", "vertical"]}
    assert with_tuples(step) == step
    assert with_tuples({"crop_size": [40, 40], "deep": [{"size": [1, 2]}]}) == {
        "crop_size": (40, 40),
        "deep": [{"size": (1, 2)}],
    }


def test_without_transforms_the_pipeline_is_what_it_was() -> None:
    train, _ = pipelines(PipelineSpec(image_scale=(96, 64)), with_masks=False)
    kinds = [step["type"] for step in train]
    assert kinds == [*("LoadImageFromFile", "LoadAnnotations", "Resize", "RandomFlip", "Normalize", "Pad"), *kinds[-2:]]


def test_what_is_left_out_is_added_at_the_end() -> None:
    kinds = [step["type"] for step in train_steps(spec(CROP))]
    assert kinds == ["PhotoMetricDistortion", "Resize", "RandomCrop", "RandomFlip", "Normalize", "Pad"]
    own = [
        {"type": "RandomFlip", "flip_ratio": 0.5},
        {"type": "Pad", "size_divisor": 8},
        {"type": "CutOut", "n_holes": 2, "cutout_shape": [4, 4]},
    ]
    assert [step["type"] for step in train_steps(spec(own))] == ["RandomFlip", "Pad", "CutOut", "Normalize"]


def test_an_image_goes_through_and_its_boxes_with_it(tmp_path: Path) -> None:
    ops.install()
    import cv2
    from mmdet.datasets.pipelines import Compose

    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 96, 3), 90, np.uint8))
    train, _ = pipelines(spec(CROP, flip=0.5), with_masks=False)
    boxes = np.array([[10, 10, 50, 50]], np.float32)
    none = np.zeros((0, 4), np.float32)
    given = {"bboxes": boxes, "labels": np.array([0]), "bboxes_ignore": none}
    sample = Compose(train)(
        {
            "img_info": {"filename": "a.png", "height": 64, "width": 96},
            "img_prefix": str(tmp_path),
            "ann_info": given,
            "bbox_fields": [],
            "mask_fields": [],
            "seg_fields": [],
        }
    )
    meta = sample["img_metas"].data
    assert meta["img_shape"] == (40, 40, 3)
    assert meta["flip"] is False
    assert tuple(sample["img"].data.shape) == (3, 64, 64)
    kept = sample["gt_bboxes"].data
    assert kept.shape[1] == 4
    assert float(kept.max()) <= 40


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"type": "PhotoMetricDistorsion"}, ["pipeline.train[0]", "PhotoMetricDistortion"]),
        ({"type": "RandomCrop", "crop": 3}, ["RandomCrop", "crop"]),
        ({"type": "Normalize", "mean": [0, 0, 0], "std": [1, 1, 1], "to_rgb": True}, ["otherwise", "mean"]),
    ],
)
def test_a_transform_that_mmdet_cannot_build_is_named(step: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        check_transforms(spec([step]), "task mine")
    for word in words:
        assert word in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec("albumentations") is not None, reason="albumentations is installed")
def test_albumentations_that_is_not_installed_is_said() -> None:
    with pytest.raises(InputError, match="albumentations is not installed; install it"):
        check_transforms(spec([{"type": "Albu", "transforms": []}]), "task mine")
