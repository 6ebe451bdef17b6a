"""The labels of a batch as a method sees them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdbench.methods.base import Batch


def labels_of(data: dict[str, Any], masks: bool = False) -> Batch:
    """The labels of an opened batch, in the frame of the padded input; with `masks` those too, if the data has them."""
    image: Tensor = data["img"]
    boxes = data["gt_bboxes"]
    ignored = data.get("gt_bboxes_ignore")
    if ignored is None:
        ignored = [box.new_zeros((0, 4)) for box in boxes]
    return Batch(
        size=(int(image.shape[-2]), int(image.shape[-1])),
        image_sizes=[(int(meta["img_shape"][0]), int(meta["img_shape"][1])) for meta in data["img_metas"]],
        boxes=[box.reshape(-1, 4) for box in boxes],
        labels=list(data["gt_labels"]),
        ignored=[box.reshape(-1, 4) for box in ignored],
        masks=_masks(data) if masks and data.get("gt_masks") is not None else None,
    )


def _masks(data: dict[str, Any]) -> list[Tensor]:
    """Per image (G, h, w) bool, over the image before padding."""
    device, found = data["img"].device, []
    for masks, meta in zip(data["gt_masks"], data["img_metas"], strict=True):
        height, width = meta["img_shape"][:2]
        found.append(torch.from_numpy(masks.to_ndarray()[:, :height, :width]).to(device).bool())
    return found
