"""What a detector asks of its data beside images, boxes and classes: what a task gives it, and what no task has."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

from kdbench.detectors.changes import dicts

if TYPE_CHECKING:
    from mmcv import Config

WITHOUT_IGNORED = re.compile(r"assert\s+gt_bboxes_ignore\s+is\s+None")
"""How a head says that it takes no regions to ignore."""


def refusal(cfg: Config, role: str = "student") -> str | None:
    """Why no task can train this detector, with the way out where there is one; None if nothing stands against it.

    Example:
        >>> refusal(load_model_config("fast_rcnn/fast_rcnn_r50_fpn_1x_coco", {}))
        'FastRCNN needs proposals, which a task does not have; take a detector with an RPN (Faster R-CNN)'
    """
    model, kind = cfg.model, cfg.model.get("type")
    roi_head = model.get("roi_head") or {}
    if "data_preprocessor" in model:
        return "is a config of mmdet 3 (`data_preprocessor`), and kdbench runs mmdet 2.28; take the family's config of mmdet 2.x"
    if "teacher_config" in model or "teacher_backbone" in model:
        return f"{kind} brings a teacher of its own; take the student's plain config and a method of kdbench (ld, say)"
    if "panoptic_head" in model or "panoptic_fusion_head" in model:
        return f"{kind} segments everything and needs semantic maps, which a task does not have; take Mask R-CNN, say"
    if roi_head.get("semantic_head"):
        # SCNet's parts are wired to it, HTC's are not.
        out = "take an HTC config" if "SCNet" in str(kind) else ""
        keys = ("semantic_head", "semantic_roi_extractor")
        return f"{kind} needs semantic maps, which a task does not have; " + (
            out or f"set {' and '.join(f'{role}.model.roi_head.{key}=null' for key in keys)}"
        )
    if roi_head and not model.get("rpn_head"):
        return f"{kind} needs proposals, which a task does not have; take a detector with an RPN (Faster R-CNN)"
    if model.get("rpn_head") and not roi_head and "bbox_head" not in model:
        return f"{kind} proposes boxes without classes; take a detector with a head that classifies (Faster R-CNN)"
    return _unknown_nms(cfg)


def _unknown_nms(cfg: Config) -> str | None:
    """A suppression that mmcv does not have is asked for only once a trained model finds two boxes."""
    from kdbench import ops

    ops.install()
    known = importlib.import_module("mmcv.ops.nms")
    for node in dicts(cfg.model):
        nms = node.get("nms")
        if isinstance(nms, dict) and not hasattr(known, str(nms.get("type", "nms"))):
            return f"its test_cfg has nms of type {nms['type']!r}, which mmcv does not have; take 'nms' or 'soft_nms'"
    return None


def has_masks(cfg: Config) -> bool:
    """Whether the detector learns instance masks: in its RoI head (Mask R-CNN), in its own head (SOLO, YOLACT) or its queries."""
    return any(node.get("mask_head") for node in dicts(cfg.model))


def gives_boxes(cfg: Config) -> bool:
    """Whether its detections have boxes; SOLO's are masks with scores, and their boxes are zeros."""
    model = cfg.model
    return bool(model.get("roi_head") or model.get("bbox_head"))


def takes_ignored(cfg: Config) -> bool:
    """Whether its heads take regions to ignore (crowds); those of the DETR family assert that there are none."""
    from kdbench import ops

    ops.install()
    from mmdet.models import HEADS

    kinds = {str(node["type"]) for node in dicts(cfg.model) if isinstance(node.get("type"), str)}
    return not any(_asserts(cls) for kind in sorted(kinds) if (cls := HEADS.get(kind)) is not None)


def wants_border(cfg: Config) -> bool:
    """Whether its evaluation asks where on the padded canvas the image lies (CenterNet)."""
    return (cfg.model.get("bbox_head") or {}).get("type") == "CenterNetHead"


def _asserts(cls: type) -> bool:
    methods: list[Any] = [getattr(cls, name, None) for name in ("loss", "forward_train", "get_targets")]
    for method in filter(None, methods):
        try:
            source = inspect.getsource(inspect.unwrap(method))
        except (OSError, TypeError):  # a class made without a file
            continue
        if WITHOUT_IGNORED.search(source):
            return True
    return False
