"""Places where mmdet 2.28 does not go with today's NumPy or on a CPU, mended once it is imported."""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType
from typing import Any

import numpy as np

OLD_NAMES = ("mmdet.core.bbox.samplers.iou_balanced_neg_sampler", "mmdet.datasets.custom")
"""Modules that write `np.int`, which NumPy has given up: Libra's sampler, a dataset's list of classes."""


class OldNumPy(ModuleType):
    """NumPy with `int` as it was, for modules that ask for it by that name; NumPy itself stays as it is."""

    int = int

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def install() -> None:
    """Mend what needs it; a second call changes nothing. mmdet must be imported already."""
    for name in OLD_NAMES:
        module: Any = sys.modules.get(name) or importlib.import_module(name)
        if not hasattr(np, "int") and not isinstance(module.np, OldNumPy):
            module.np = OldNumPy("numpy")
    from mmdet.models.dense_heads import RepPointsHead
    from mmdet.models.roi_heads.mask_heads import fcn_mask_head

    if not hasattr(RepPointsHead.get_points, "__wrapped__"):
        RepPointsHead.get_points = _on_its_device(RepPointsHead.get_points)
    if not hasattr(fcn_mask_head._do_paste_mask, "__wrapped__"):
        fcn_mask_head._do_paste_mask = _beside_the_image(fcn_mask_head._do_paste_mask)


def _on_its_device(get_points: Any) -> Any:
    """RepPoints makes its flags of valid points on CUDA, wherever the points are: let them be made beside the points."""

    @functools.wraps(get_points)
    def points(self: Any, featmap_sizes: Any, img_metas: Any, device: Any) -> Any:
        generator = self.prior_generator
        generator.valid_flags = functools.partial(type(generator).valid_flags, generator, device=device)
        try:
            return get_points(self, featmap_sizes, img_metas, device)
        finally:
            del generator.valid_flags

    return points


def _beside_the_image(paste: Any) -> Any:
    """Masks of boxes that miss the image, as weights that have learnt little give (QueryInst): pasted nowhere.

    mmdet on a CPU pastes into the part of the image that the boxes cover, and fails where that has no pixel.
    """

    @functools.wraps(paste)
    def pasted(masks: Any, boxes: Any, img_h: int, img_w: int, skip_empty: bool = True) -> Any:
        if skip_empty and len(boxes):
            left, top = (boxes.min(dim=0).values.floor()[:2] - 1).clamp(min=0).tolist()
            right, bottom = boxes[:, 2].max().ceil() + 1, boxes[:, 3].max().ceil() + 1
            if left >= min(float(right), img_w) or top >= min(float(bottom), img_h):
                return masks.new_zeros((len(boxes), 0, 0)), (slice(0, 0), slice(0, 0))
        return paste(masks, boxes, img_h, img_w, skip_empty)

    return pasted
