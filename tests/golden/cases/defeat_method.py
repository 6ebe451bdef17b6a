"""The method, a batch and a progress, as a DeFeat golden file's arrays describe them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, boxes_of
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Method, Progress

OFF = {"neck_fg_weight": 0, "neck_bg_weight": 0}
START = Progress(0, 1, 0, 1)


def defeat(
    values: dict | None = None,
    neck: list[tuple[int, int]] = [(1, 1)],  # noqa: B006
    strides: object = (4,),
    backbone: list[tuple[int, int]] = [(1, 1)],  # noqa: B006
    num_classes: int = 20,
) -> Method:
    """The method for detectors with these (student, teacher) channels."""
    student, teacher = (
        DetectorInfo(
            "two_stage",
            num_classes,
            tuple(pair[who] for pair in neck),
            tuple(int(stride) for stride in np.asarray(strides)),
            tuple(pair[who] for pair in backbone),
        )
        for who in (0, 1)
    )
    return registry.build("defeat", values or {}, student, teacher)


def schedule_of(arrays: Arrays) -> dict:
    return {"decay": "linear"} if int(arrays.get("hp_decay_applied", 0)) else {}


def progress_of(arrays: Arrays) -> Progress:
    """The epoch of a very long training at which linear decay gives the file's factor."""
    if not schedule_of(arrays):
        return START
    steps = 10_000_000
    return Progress(round((1 - float(arrays["hp_kd_decay"])) * steps), steps, 0, 1)


def batch_of(arrays: Arrays) -> Batch:
    boxes = boxes_of(arrays)
    size = tuple(int(side) for side in arrays["in_pad_hw"])
    nothing = [torch.zeros((0, 4)) for _ in boxes]
    return Batch(size, [size] * len(boxes), boxes, [torch.zeros(len(b)).long() for b in boxes], nothing)  # type: ignore[arg-type]


def weight(arrays: Arrays, side: str) -> float:
    return float(arrays.get(f"hp_{side}_weight", 0.0))


def backward(terms: dict[str, Tensor]) -> None:
    if terms:
        torch.stack(list(terms.values())).sum().backward()
