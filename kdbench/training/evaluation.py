"""Evaluation with mmdet's datasets: COCO box (and mask) AP, and VOC AP at IoU 0.5; on several processes too."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import torch
from torch import distributed, nn

from kdbench.training.batches import to_device


def predict(model: nn.Module, loader: Any, device: torch.device) -> list[Any]:
    """Detections of the loader's images, in order, as mmdet's `dataset.evaluate` wants them."""
    was_training = model.training
    model.eval()
    results: list[Any] = []
    with torch.no_grad():
        for data in loader:
            output = model(return_loss=False, rescale=True, **to_device(data, device))
            if isinstance(output[0], tuple):
                output = [(boxes, _encoded(masks)) for boxes, masks in output]
            results.extend(output)
    model.train(was_training)
    return results


def gather(results: list[Any], total: int) -> list[Any]:
    """Put the interleaved shares of all processes (rank::world) back in order, on every process."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return results
    world = distributed.get_world_size()
    shares: list[Any] = [None] * world
    distributed.all_gather_object(shares, results)
    return [shares[index % world][index // world] for index in range(total)]


def score(dataset: Any, results: list[Any], metric: str) -> dict[str, float]:
    """Figures in 0..1: mAP, mAP_50, mAP_75, mAP_s, mAP_m, mAP_l (mask ones as mask_mAP, ...); voc_mAP_50 when asked for.

    A figure that does not exist (no object of that size) is left out. No detection at all scores 0.
    """
    with_masks = bool(results) and isinstance(results[0], tuple)
    figures: dict[str, float] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        raw = dataset.evaluate(results, metric=["bbox", "segm"] if with_masks else "bbox", logger="silent")
    for prefix, name in (("bbox_", ""), ("segm_", "mask_")):
        for key in ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"):
            value = raw.get(prefix + key)
            if value is not None and value >= 0:
                figures[name + key] = float(value)
    for key in ("mAP", "mAP_50"):
        figures.setdefault(key, 0.0)
    if metric.startswith("voc_"):
        figures["voc_mAP_50"] = _voc(dataset, [r[0] if with_masks else r for r in results])
    return figures


def _voc(dataset: Any, boxes: list[Any]) -> float:
    from mmdet.core import eval_map

    annotations = [dataset.get_ann_info(index) for index in range(len(dataset))]
    with contextlib.redirect_stdout(io.StringIO()):
        mean, _ = eval_map(boxes, annotations, iou_thr=0.5, dataset="voc07", logger="silent", nproc=1)
    return float(mean)


def _encoded(masks: Any) -> Any:
    from mmdet.core import encode_mask_results

    return encode_mask_results(masks)
