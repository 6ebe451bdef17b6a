"""Evaluation: COCO box (and mask) AP and VOC AP with mmdet's functions, CrowdHuman's metrics; on several processes too."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
import torch
from torch import distributed, nn

from kdbench.data.batches import LOST, to_device
from kdbench.errors import InputError
from kdbench.evaluation.crowdhuman import metrics as crowdhuman
from kdbench.specs import metrics

KINDS = {"bbox": metrics.BOX, "segm": metrics.MASK}
"""mmdet's kinds of COCO evaluation, and our names of the figures."""


def predict(model: nn.Module, loader: Any, device: torch.device) -> list[Any]:
    """Detections of the loader's images, in order, as mmdet's `dataset.evaluate` wants them.

    An image that cannot be read has none.
    """
    was_training = model.training
    model.eval()
    results: list[Any] = []
    with torch.no_grad():
        for data in loader:
            if LOST in data:
                results.append(_nothing(int(data[LOST]), getattr(model, "with_mask", False)))
                continue
            output = model(return_loss=False, rescale=True, **to_device(data, device))
            if isinstance(output[0], tuple):
                output = [(boxes, _encoded(masks)) for boxes, masks in output]
            results.extend(output)
    model.train(was_training)
    return results


def _nothing(classes: int, with_mask: bool) -> Any:
    boxes = [np.zeros((0, 5), dtype=np.float32) for _ in range(classes)]
    return (boxes, [[] for _ in range(classes)]) if with_mask else boxes


def gather(results: list[Any], total: int) -> list[Any]:
    """Put the interleaved shares of all processes (rank::world) back in order, on every process."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return results
    world = distributed.get_world_size()
    shares: list[Any] = [None] * world
    distributed.all_gather_object(shares, results)
    return [shares[index % world][index // world] for index in range(total)]


def score(dataset: Any, results: list[Any], metric: str) -> dict[str, float]:
    """Figures in 0..1 by the names of `specs.metrics`: COCO's always, of masks too where the results have them.

    VOC's or CrowdHuman's are there when `metric` is one of them. A figure that does not exist (no object of that
    size, say) is left out. No detection at all scores 0, and an mMR of 1.
    """
    with_masks = bool(results) and isinstance(results[0], tuple)
    boxes = [result[0] if with_masks else result for result in results]
    found = _coco(dataset, results, with_masks)
    # mmdet has no figure at all where nothing is detected.
    zeros = {"mAP", "mAP_50"} if found else {"mAP", "mAP_50", metric} & {*metrics.BOX, *metrics.MASK}
    figures = {**dict.fromkeys(sorted(zeros), 0.0), **found}
    if metric in metrics.VOC:
        figures |= _voc(dataset, boxes)
    if metric in metrics.CROWD:
        figures |= crowdhuman.figures(dataset, boxes)
    return figures


def ranked(figures: dict[str, float], metric: str) -> float:
    """The figure that ranks.

    Raises:
        InputError: the split has no such figure.
    """
    if metric not in figures:
        raise InputError(
            f"metric {metric}: the search split has no such figure (no object of that size, perhaps); choose another metric"
        )
    return figures[metric]


def _coco(dataset: Any, results: list[Any], with_masks: bool) -> dict[str, float]:
    """COCO's figures as mmdet gives them, rounded to four decimals; its size bounds are 32 and 96 pixels squared."""
    kinds = list(KINDS) if with_masks else ["bbox"]
    # Recorded is kept quiet: mmdet warns that mask AP goes by the area of masks, which is as it should be.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True):
        raw = dataset.evaluate(results, metric=kinds, logger="silent")
    named = {
        f"{kind}_{key}": name for kind, names in KINDS.items() for key, name in zip(metrics.BOX, names, strict=True)
    }
    # One that does not exist is -1.
    return {name: float(raw[key]) for key, name in named.items() if raw.get(key, -1) >= 0}


def _voc(dataset: Any, boxes: list[Any]) -> dict[str, float]:
    """VOC's AP at IoU 0.5 in both forms, as mmdet's VOCDataset has it: sides with +1, difficult objects left out."""
    from mmdet.core import eval_map

    annotations = [_with_ignored(dataset, index) for index in range(len(dataset))]
    figures = {}
    for name, year in zip(metrics.VOC, ("voc07", None), strict=True):
        with contextlib.redirect_stdout(io.StringIO()), without_processes():
            mean, _ = eval_map(
                boxes, annotations, iou_thr=0.5, dataset=year, logger="silent", nproc=1, use_legacy_coordinate=True
            )
        figures[name] = float(mean)
    return figures


@contextlib.contextmanager
def without_processes() -> Iterator[None]:
    """Let mmdet's `eval_map` count in a thread of this process while the block runs.

    It forks a pool at every call and leaves its end to the garbage collector, which waits for ever now and then where
    the process has threads or handles signals, as a trial's does.
    """
    mean_ap: Any = importlib.import_module("mmdet.core.evaluation.mean_ap")
    before = mean_ap.Pool
    mean_ap.Pool = ThreadPool
    try:
        yield
    finally:
        mean_ap.Pool = before


def _with_ignored(dataset: Any, index: int) -> dict[str, Any]:
    """An image's annotations with the classes of what is ignored, which CocoDataset does not give."""
    info = dataset.data_infos[index]
    marks = dataset.coco.imgToAnns[info["id"]]
    parts = {}
    for suffix, crowd in (("", 0), ("_ignore", 1)):
        mine = [mark for mark in marks if mark["iscrowd"] == crowd]
        boxes = np.array([mark["bbox"] for mark in mine], dtype=np.float32).reshape(-1, 4)
        parts["bboxes" + suffix] = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        parts["labels" + suffix] = np.array([dataset.cat2label[mark["category_id"]] for mark in mine], dtype=np.int64)
    return parts


def _encoded(masks: Any) -> Any:
    from mmdet.core import encode_mask_results

    return encode_mask_results(masks)
