"""CrowdHuman's metrics: the log-average miss rate MR^-2 (`mMR`), its AP at IoU 0.5, and the Jaccard index (JI).

None of them is COCO's or VOC's: this AP is a plain trapezoid, MR^-2 has no floor, and JI takes its threshold from the
very set that is measured, as is published practice.

Reference: evaluation of CrowdDet (Chu et al., Detection in Crowded Scenes, CVPR 2020, arXiv 2003.09163).
Differs from it: an image may have no box; no detection at all is a miss rate of 1 and not NaN; detections are neither
rounded nor capped.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdbench.errors import InputError
from kdbench.evaluation.crowdhuman import curve as crowdhuman_curve
from kdbench.evaluation.crowdhuman import index as crowdhuman_index
from kdbench.evaluation.crowdhuman.boxes import Scene, View


@dataclass(frozen=True)
class Result:
    """What a set of images scores; NaN where there is no person to find.

    Units: AP, mMR and JI in 0..1; mMR lower is better.
    """

    curve: crowdhuman_curve.Curve
    index: crowdhuman_index.Index

    @property
    def figures(self) -> dict[str, float]:
        """By the names that a task's metric has, with the lowest score threshold that reaches JI."""
        index = self.index
        return {"mMR": self.curve.MR, "AP": self.curve.AP, "JI": index.JI, "JI_threshold": index.threshold}


def evaluate(scenes: Sequence[Scene], detections: Mapping[str, np.ndarray]) -> Result:
    """Score detections on images.

    Shapes: detections by image name (D, 5): x1, y1, x2, y2, score; an image that is not there has none.
    Units: pixels of the original image, scores 0..1.

    Raises:
        InputError: detections of an unknown image, a score that is NaN, or a box with a negative side.

    Example:
        >>> scene = Scene("a", 100, 50, np.array([[10.0, 10, 30, 40]]), np.zeros((0, 4)))
        >>> evaluate([scene], {"a": np.array([[10.0, 10, 30, 40, 0.9]])}).figures["mMR"]
        0.0
    """
    unknown = detections.keys() - {scene.name for scene in scenes}
    if unknown:
        raise InputError(
            f"detections of image {min(unknown)}: the annotations have no such image; give those of this set"
        )
    views = [_view(scene, detections.get(scene.name)) for scene in scenes]
    if not any(len(view.people) for view in views):
        warnings.warn("no person to find: mMR and AP are not defined", stacklevel=2)
    return Result(crowdhuman_curve.curve(views), crowdhuman_index.index(views))


def figures(dataset: Any, results: Sequence[Any]) -> dict[str, float]:
    """mMR, AP, JI and JI_threshold of mmdet's results (one array a class, one class) on a CocoDataset.

    Crowd boxes are the regions to ignore. A figure that is not defined is left out.
    """
    scenes, found = [], {}
    for info, (boxes,) in zip(dataset.data_infos, results, strict=True):
        name = str(info["filename"])
        marks = dataset.coco.imgToAnns[info["id"]]
        scenes.append(Scene(name, info["width"], info["height"], _corners(marks, 0), _corners(marks, 1)))
        found[name] = boxes
    return {name: value for name, value in evaluate(scenes, found).figures.items() if not math.isnan(value)}


def _corners(marks: list[dict[str, Any]], crowd: int) -> np.ndarray:
    """Annotated boxes (B, 4) as corners, neither clipped nor left out: mmdet's own list lacks some."""
    boxes = np.array([mark["bbox"] for mark in marks if mark["iscrowd"] == crowd], dtype=np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _view(scene: Scene, found: np.ndarray | None) -> View:
    rows = np.zeros((0, 5)) if found is None else np.asarray(found, dtype=np.float64).reshape(-1, 5)
    bad = np.isnan(rows[:, 4]) | ~(rows[:, 2] >= rows[:, 0]) | ~(rows[:, 3] >= rows[:, 1])
    if bad.any():
        raise InputError(
            f"image {scene.name}, detection {int(np.flatnonzero(bad)[0])}: its score is NaN or its box has a negative side; "
            "correct the detector that gave it"
        )
    return View.of(scene, rows)
