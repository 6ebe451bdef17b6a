"""Which detections of one image hit its objects: for pictures, not for evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.outcome.looking import Truth

IOU = 0.5


def hits(found: NDArray[np.float32], truth: Truth) -> list[bool]:
    """For each detection, whether it is the best yet unmatched one of an object of its class, by falling score.

    Shapes: found (n, 6): corners, score, class.
    """
    import torch
    from torchvision.ops import box_iou

    right = [False] * len(found)
    if not len(found) or not len(truth.boxes):
        return right
    overlap = box_iou(torch.as_tensor(found[:, :4]), torch.as_tensor(truth.boxes)).numpy()
    free = set(range(len(truth.boxes)))
    for place in sorted(range(len(found)), key=lambda index: -found[index, 4]):
        near = [o for o in free if truth.labels[o] == found[place, 5] and overlap[place, o] >= IOU]
        if near:
            free.remove(max(near, key=lambda o: overlap[place, o]))
            right[place] = True
    return right


def score(found: NDArray[np.float32], truth: Truth) -> float:
    """F1 of one image: 1 where every object is hit and nothing else is found; 1 for nothing found where nothing is."""
    right, total = sum(hits(found, truth)), len(found) + len(truth.boxes)
    return 2 * right / total if total else 1.0
