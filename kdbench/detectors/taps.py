"""Taps: what a method may see of a detector, caught by hooks while a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from kdbench.errors import InputError
from kdbench.methods.base import Assigned, Features, Taps


@dataclass
class RoiPass:
    """The RoI head's part of a loss pass: what its sampler gave for each image, and the class logits on it."""

    samples: list[Any] = field(default_factory=list)
    logits: Tensor | None = None


@dataclass
class Captured:
    """What a block caught. `features.neck` is the FPN even if only RoI logits are tapped: the head needs it."""

    features: Features = field(default_factory=Features)
    roi: RoiPass = field(default_factory=RoiPass)
    targets: Any = None
    """What the one-stage head's `get_targets` gave in its loss pass."""


@contextmanager
def capture(detector: nn.Module, taps: Taps, loss_pass: bool = False) -> Iterator[Captured]:
    """Catch what `taps` names of the first forward of `detector` in the block; afterwards no trace is left on it.

    With `loss_pass` the samples and class logits that the RoI head computes for its own loss are caught too, so that
    they need not be computed again; likewise what a one-stage head assigned to its anchors, if tapped.

    Example:
        >>> with capture(student, Taps(neck=True)) as caught:
        ...     losses = student(return_loss=True, **data)
        >>> caught.features.neck[0].shape
        torch.Size([2, 256, 100, 168])
    """
    model: Any = detector
    caught = Captured()
    handles = []

    def on_backbone(module: nn.Module, args: Any, output: Any) -> None:
        if not caught.features.backbone:
            caught.features.backbone = {stage: output[stage] for stage in taps.backbone}

    def on_neck(module: nn.Module, args: Any, output: Any) -> None:
        if not caught.features.neck:
            caught.features.neck = tuple(output)

    def on_bbox_head(module: nn.Module, args: Any, output: Any) -> None:
        # Samplers such as OHEM run the head too; only what comes after the last sampling is the loss pass.
        if caught.roi.logits is None:
            caught.roi.logits = output[0]

    def on_dense_head(module: nn.Module, args: Any, output: Any) -> None:
        if not caught.features.scores:
            caught.features.scores, caught.features.boxes = tuple(output[0]), tuple(output[1])

    sampler = model.roi_head.bbox_sampler if taps.roi_logits and loss_pass else None
    assigning = model.bbox_head if taps.assigned and loss_pass else None
    try:
        if taps.dense:
            handles.append(model.bbox_head.register_forward_hook(on_dense_head))
        if assigning is not None:
            get_targets = assigning.get_targets

            def assign_and_keep(*args: Any, **kwargs: Any) -> Any:
                targets = get_targets(*args, **kwargs)
                caught.targets = caught.targets or targets
                return targets

            assigning.get_targets = assign_and_keep
        if taps.backbone:
            handles.append(model.backbone.register_forward_hook(on_backbone))
        if taps.neck or taps.roi_logits or taps.head_losses:
            handles.append(model.neck.register_forward_hook(on_neck))
        if sampler is not None:
            sample = sampler.sample

            def sample_and_keep(*args: Any, **kwargs: Any) -> Any:
                result = sample(*args, **kwargs)
                caught.roi.samples.append(result[0] if isinstance(result, tuple) else result)
                caught.roi.logits = None
                return result

            sampler.sample = sample_and_keep
            handles.append(model.roi_head.bbox_head.register_forward_hook(on_bbox_head))
        yield caught
    finally:
        for handle in handles:
            handle.remove()
        if sampler is not None:
            vars(sampler).pop("sample", None)
        if assigning is not None:
            vars(assigning).pop("get_targets", None)


def check(detector: nn.Module, taps: Taps, what: str) -> None:
    """Refuse a detector that has not what `taps` names. `what` is "student" or "teacher".

    Raises:
        InputError: with the reason.
    """
    model: Any = detector
    if (taps.neck or taps.roi_logits or taps.head_losses) and getattr(model, "neck", None) is None:
        raise InputError(f"{what}: {type(model).__name__} has no neck (FPN) to distil; choose a detector with one")
    if (taps.dense or taps.assigned) and getattr(model, "bbox_head", None) is None:
        raise InputError(f"{what}: {type(model).__name__} has no one-stage head whose maps could be distilled")
    if taps.roi_logits is None:
        return
    reason = no_roi_logits(model)
    if reason is None and taps.roi_logits != "student" and what == "teacher" and not _plain_rpn(model):
        reason = "has no plain RPN to propose boxes: use the student's proposals"
    if reason:
        raise InputError(f"{what}: {type(model).__name__} {reason}; or set the weights of the RoI class terms to 0")


def no_roi_logits(detector: nn.Module) -> str | None:
    """Why this detector's RoI head has no class logits to distil; None if it has."""
    roi_head: Any = getattr(detector, "roi_head", None)
    bbox_head = getattr(roi_head, "bbox_head", None)
    if roi_head is None or bbox_head is None:
        return "has no RoI head: RoI class logits exist in two-stage detectors only"
    if isinstance(bbox_head, nn.ModuleList):
        return f"has a cascade ({type(roi_head).__name__}): its stages classify different boxes"
    if getattr(bbox_head, "custom_cls_channels", False):
        return f"classifies with {type(bbox_head.loss_cls).__name__}: its logits are not one a class and background"
    return None


def assigned(targets: Any) -> list[Assigned]:
    """What a head of the ATSS kind (ATSS, GFL, LD) assigned, per level; anchors position-major."""
    anchors, labels, weights = targets[:3]
    return [Assigned(*level) for level in zip(anchors, labels, weights, strict=True)]


def _plain_rpn(model: Any) -> bool:
    from mmdet.models.dense_heads import RPNHead
    from mmdet.models.dense_heads.cascade_rpn_head import StageCascadeRPNHead

    rpn = getattr(model, "rpn_head", None)
    return isinstance(rpn, RPNHead) and not isinstance(rpn, StageCascadeRPNHead)
