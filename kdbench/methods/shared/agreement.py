"""Whether two detectors' heads are alike, so that outputs and weights of one can stand for those of the other."""

from __future__ import annotations

from typing import Any

from kdbench.methods.base import DetectorInfo


def same_anchors(one: DetectorInfo, other: DetectorInfo) -> bool:
    """Equal anchors on every level, to a hundredth of a pixel; so have two detectors without anchors.

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16,), (8,), (16, 32, 64, 128), base_anchors=(((-4.0, -4.0, 4.0, 4.0),),))
        >>> same_anchors(info, info)
        True
    """
    return _rounded(one) == _rounded(other)


def heads_agree(one: DetectorInfo, other: DetectorInfo) -> bool:
    """The same kind of head on FPN maps of equal widths and strides, with outputs that mean the same."""

    def seen(info: DetectorInfo) -> tuple[Any, ...]:
        return info.head, info.neck_channels, info.neck_strides, info.score_channels, info.bins, info.num_classes

    return seen(one) == seen(other) and same_anchors(one, other)


def _rounded(info: DetectorInfo) -> list[list[list[float]]]:
    return [[[round(edge, 2) for edge in box] for box in level] for level in info.base_anchors]
