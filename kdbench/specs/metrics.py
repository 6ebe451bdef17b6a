"""The metrics that a task may rank by, and which direction of each is better: the one place that knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from kdbench.errors import InputError

BOX = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")
"""COCO's, of boxes: over IoU 0.50 to 0.95, at 0.50, at 0.75, of small, medium and large objects."""
MASK = tuple(f"segm_{name}" for name in BOX)
"""The same of instance masks."""
VOC = ("AP50_11", "AP50_area")
"""Pascal VOC's at IoU 0.50: by 11 points (2007), by area (from 2010 on)."""
CROWD = ("mMR", "AP", "JI")
"""CrowdHuman's: log-average miss rate MR^-2, its own AP at IoU 0.50, and the Jaccard index."""
NAMES = (*BOX, *MASK, *VOC, *CROWD)
LOWER_IS_BETTER = frozenset({"mMR"})


def mode(metric: str) -> Literal["max", "min"]:
    """Whether the best value of a metric is the largest or the smallest."""
    return "min" if metric in LOWER_IS_BETTER else "max"


def merit(metric: str, value: float) -> float:
    """The value, turned where lower is better: of two, the one with more merit is better.

    Example:
        >>> max([0.4, 0.5], key=lambda value: merit("mMR", value))
        0.4
    """
    return -value if metric in LOWER_IS_BETTER else value


def best(metric: str, values: Iterable[float]) -> float | None:
    """The best of the values; None if there are none."""
    return max(values, key=lambda value: merit(metric, value), default=None)


def worse(metric: str, value: float, other: float) -> bool:
    """Whether `value` is worse than `other`."""
    return merit(metric, value) < merit(metric, other)


def check(metric: str, *, classes: int, masks: bool, where: str, boxes: bool = True) -> None:
    """See that a model on a dataset has such a figure, before anything is trained.

    Args:
        classes: of the dataset.
        masks: the model predicts instance masks.
        where: what the message begins with.
        boxes: the model predicts boxes (SOLO's masks have none).

    Raises:
        InputError: masks or boxes are wanted of a model without, or a one-class metric of several classes.
    """
    if metric in MASK and not masks:
        raise InputError(f"{where}: metric {metric} is of masks and the model has no mask head; take {BOX[0]}, say")
    if metric not in MASK and not boxes:
        raise InputError(f"{where}: metric {metric} is of boxes and the model gives masks alone; set metric={MASK[0]}")
    if metric in CROWD and classes != 1:
        raise InputError(f"{where}: metric {metric} is of one class and the data has {classes}; take {BOX[0]}, say")
