"""A batch as mmcv's loaders collate it: opened, onto a device, and made of single images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

LOST = "lost"
"""The only key of a test sample whose image cannot be read; its value is the number of classes."""


def to_device(data: Any, device: torch.device) -> Any:
    """The batch with its DataContainers opened and its tensors on `device`.

    mmcv's own `scatter` asks torch for a copy stream in a way that torch has not known since 2.1, so it fails on a GPU.

    Raises:
        ValueError: the batch was collated for several GPUs of one process.
    """
    from mmcv.parallel import DataContainer

    if isinstance(data, Tensor):
        return data.to(device, non_blocking=True).contiguous()
    if isinstance(data, DataContainer):
        if not isinstance(data.data, list) or len(data.data) != 1:
            raise ValueError("a batch must be collated for one device: give collate the loader's whole batch size")
        return data.data[0] if data.cpu_only else to_device(data.data[0], device)
    if isinstance(data, dict):
        return {key: to_device(value, device) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(to_device(value, device) for value in data)
    return data


def collate(images: list[Tensor], metas: list[dict[str, Any]], **labels: list[Tensor]) -> dict[str, Any]:
    """Images of equal size with their labels, as a training loader collates them.

    Example:
        >>> batch = collate(images, metas, gt_bboxes=boxes, gt_labels=labels)
    """
    from mmcv.parallel import DataContainer
    from mmcv.parallel import collate as mmcv_collate

    samples = []
    for i, (image, meta) in enumerate(zip(images, metas, strict=True)):
        sample = {"img": DataContainer(image, stack=True), "img_metas": DataContainer(meta, cpu_only=True)}
        samples.append({**sample, **{name: DataContainer(values[i]) for name, values in labels.items()}})
    batch: dict[str, Any] = mmcv_collate(samples, samples_per_gpu=len(samples))
    return batch


def collated_masks(images: list[np.ndarray]) -> Any:
    """Instance masks per image, (G, H, W) of 0 and 1 at the padded size, as a training loader collates them."""
    from mmcv.parallel import DataContainer
    from mmdet.core import BitmapMasks

    return DataContainer([[BitmapMasks(masks, *masks.shape[1:]) for masks in images]], cpu_only=True)


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Collated batches of equal image size as one."""
    from mmcv.parallel import DataContainer

    merged: dict[str, Any] = {}
    for key, first in parts[0].items():
        values = [part[key].data[0] for part in parts]
        whole = torch.cat(values) if isinstance(first.data[0], Tensor) else [item for value in values for item in value]
        merged[key] = DataContainer([whole], stack=first.stack, cpu_only=first.cpu_only)
    return merged


def count(data: dict[str, Any]) -> int:
    """Number of images in a batch, opened or not."""
    metas = data["img_metas"]
    return len(metas) if isinstance(metas, list) else len(metas.data[0])
