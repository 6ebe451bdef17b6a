"""What DeFeat refuses before anything is built, each with its reason and the alternatives."""

from __future__ import annotations

from kdbench.errors import InputError
from kdbench.methods.base import DetectorInfo
from kdbench.methods.defeat.params import DeFeatParams
from kdbench.methods.shared.levels import check_levels, check_widths


def check(params: DeFeatParams, student: DetectorInfo, teacher: DetectorInfo) -> None:
    """Compare the terms that are on with the two detectors.

    Raises:
        InputError: a term that these detectors cannot have.
    """
    if params.neck:
        _check_neck(params, student, teacher)
    if params.backbone:
        _check_backbone(params, student, teacher)
    if params.head:
        _check_head(student, teacher)


def _check_neck(params: DeFeatParams, student: DetectorInfo, teacher: DetectorInfo) -> None:
    check_levels("defeat", None, "neck_fg_weight and neck_bg_weight", student, teacher)
    check_widths("defeat", "FPN levels", params.adapt, student.neck_channels, teacher.neck_channels)


def _check_backbone(params: DeFeatParams, student: DetectorInfo, teacher: DetectorInfo) -> None:
    for who, info in (("student", student), ("teacher", teacher)):
        stages = len(info.backbone_channels)
        if max(params.backbone_stages) >= stages:
            known = f"choose from {list(range(stages))} (0 = C2)" if stages else "set the backbone weights to 0"
            raise InputError(
                f"method defeat: backbone_stages {list(params.backbone_stages)}: the {who}'s backbone has {stages} "
                f"stages; {known}"
            )
    ours = tuple(student.backbone_channels[stage] for stage in params.backbone_stages)
    theirs = tuple(teacher.backbone_channels[stage] for stage in params.backbone_stages)
    check_widths("defeat", f"backbone stages {list(params.backbone_stages)}", params.adapt, ours, theirs)


def _check_head(student: DetectorInfo, teacher: DetectorInfo) -> None:
    for who, info in (("student", student), ("teacher", teacher)):
        if info.family != "two_stage":
            raise InputError(
                f"method defeat: head_fg_weight and head_bg_weight distil a RoI head and the {who} is a one-stage "
                "detector; set both to 0 (preset defeat_neck), or use two-stage detectors"
            )
        if not info.roi_logits:
            raise InputError(
                f"method defeat: head_fg_weight and head_bg_weight distil one RoI classification, and the {who}'s {info.head} "
                "has several, or other logits than one a class; set both to 0 (preset defeat_neck)"
            )
