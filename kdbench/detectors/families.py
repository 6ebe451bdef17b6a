"""The detector families that methods are tried on, and which method suits which: known without building anything."""

from __future__ import annotations

from kdbench.methods.base import Box, DetectorInfo

_ONE_STAGE, _TWO_STAGE = (8, 16, 32, 64, 128), (4, 8, 16, 32, 64)
_RESNET50 = (256, 512, 1024, 2048)


def _info(head: str, anchors: int, *, classes: int = 80, bins: int = 0, score_channels: int = 0) -> DetectorInfo:
    return DetectorInfo(
        family="one_stage",
        num_classes=classes,
        neck_channels=(256,) * 5,
        neck_strides=_ONE_STAGE,
        backbone_channels=_RESNET50,
        head=head,
        base_anchors=_squares(_ONE_STAGE, anchors),
        score_channels=score_channels or max(1, anchors) * classes,
        bins=bins,
        roi_logits=False,
    )


def _two_stage(head: str, *, masks: bool = False, roi_logits: bool = True) -> DetectorInfo:
    return DetectorInfo(
        family="two_stage",
        num_classes=80,
        neck_channels=(256,) * 5,
        neck_strides=_TWO_STAGE,
        backbone_channels=_RESNET50,
        head=head,
        base_anchors=_squares(_TWO_STAGE, 3),
        masks=masks,
        roi_logits=roi_logits,
    )


def _squares(strides: tuple[int, ...], anchors: int) -> tuple[tuple[Box, ...], ...]:
    """As many anchors a cell as the family has; squares stand for their shapes, which no check looks at."""
    if not anchors:
        return ()
    return tuple(((-4.0 * s, -4.0 * s, 4.0 * s, 4.0 * s),) * anchors for s in strides)


FAMILIES: dict[str, DetectorInfo] = {
    "retinanet": _info("RetinaHead", 9),
    "fcos": _info("FCOSHead", 0),
    "atss": _info("ATSSHead", 1),
    "gfl": _info("GFLHead", 1, bins=17),
    "faster_rcnn": _two_stage("StandardRoIHead"),
    "mask_rcnn": _two_stage("StandardRoIHead", masks=True),
    "cascade_rcnn": _two_stage("CascadeRoIHead", roi_logits=False),
}
"""mmdet's folder of the family's configs -> what a method may know of its R50-FPN."""
