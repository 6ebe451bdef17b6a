"""What single detector families want of the pipelines that every task has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdbench.detectors import needs
from kdbench.detectors.changes import dicts

if TYPE_CHECKING:
    from mmcv import Config

SHOWN = ("filename", "ori_shape", "img_shape", "pad_shape", "scale_factor", "flip", "flip_direction", "img_norm_cfg")
"""What mmdet's Collect hands on of an image's facts unless it is told otherwise, as far as images have it."""


def fit(cfg: Config) -> None:
    """Change the pipelines of `cfg.data` where the model's heads want it."""
    if not needs.takes_ignored(cfg):
        for step in _steps(cfg.data["train"], "Collect"):
            step["keys"] = [key for key in step["keys"] if key != "gt_bboxes_ignore"]
    if needs.wants_border(cfg):
        for split in ("val", "test"):
            _tell_the_border(cfg.data[split])


def _tell_the_border(split: Any) -> None:
    """Let the images of a split be padded as CenterNet's are, all around, with the place of the image told to the head."""
    for load in _steps(split, "LoadImageFromFile"):
        load["to_float32"] = True
    for several in _steps(split, "MultiScaleFlipAug"):
        steps = several["transforms"]
        (pad,) = [step for step in steps if step["type"] == "Pad"]
        resize = next(index for index, step in enumerate(steps) if step["type"] == "Resize")
        # Zeros before the normalisation; the mean that the step would paint is for a training's crops.
        canvas = {
            "type": "RandomCenterCropPad",
            "ratios": None,
            "border": None,
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
            "to_rgb": True,
            "test_mode": True,
            "test_pad_mode": ["size_divisor", pad["size_divisor"]],
        }
        steps[:] = [step for step in (*steps[: resize + 1], canvas, *steps[resize + 1 :]) if step is not pad]
        for collect in _steps(steps, "Collect"):
            collect["meta_keys"] = (*SHOWN, "border")


def _steps(node: Any, kind: str) -> list[dict[str, Any]]:
    return [step for step in dicts(node) if step.get("type") == kind]
