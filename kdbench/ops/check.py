"""A quick look whether the operators work, for `kdbench doctor`."""

from __future__ import annotations


def check() -> str:
    """Which operators are in use, after one of them has given a known answer.

    Raises:
        RuntimeError: it gave another one.
    """
    from kdbench import ops

    ops.install()
    import torch
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
    kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), iou_threshold=0.5)[1].tolist()
    if kept != [0, 2]:
        raise RuntimeError(f"nms keeps {kept} instead of [0, 2]")
    return f"mmcv.ops on {ops.backend()}; nms gives a known answer"
