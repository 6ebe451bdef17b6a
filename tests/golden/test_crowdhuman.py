"""The numbers of CrowdHuman's reference evaluation, and its annotation files, against ours.

Every *.npz and every *.odgt with its *_expected.json under <folder>/crowdhuman/ is tested; the folder is
tests/golden/data or what KDBENCH_GOLDEN names. Arrays say what is compared, never a file's name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kdbench.data import prepare
from kdbench.data.loaders import build_dataset
from kdbench.evaluation.crowdhuman.boxes import Scene, clip
from kdbench.evaluation.crowdhuman.curve import GRID
from kdbench.evaluation.crowdhuman.metrics import Result, evaluate
from kdbench.specs.dataset import DatasetSpec

Arrays = dict[str, np.ndarray]
HERE = Path(__file__).parent / "data"
FOLDER = Path(os.environ.get("KDBENCH_GOLDEN") or HERE).expanduser().absolute() / "crowdhuman"
VECTORS = sorted(FOLDER.rglob("*.npz"))
SAMPLES = sorted(FOLDER.rglob("*.odgt"))
KNOWN = {
    "out_n_gt": lambda ours: ours.curve.people,
    "out_det_status": lambda ours: ours.curve.status,
    "out_det_rank": lambda ours: ours.curve.order,
    "out_curve_recall": lambda ours: ours.curve.recall,
    "out_curve_precision": lambda ours: ours.curve.precision,
    "out_curve_fppi": lambda ours: ours.curve.fppi,
    "out_curve_miss_rate": lambda ours: ours.curve.miss_rate,
    "out_AP": lambda ours: ours.curve.AP,
    "out_grid_fppi": lambda ours: np.array(GRID),
    "out_grid_miss_rate": lambda ours: ours.curve.grid_miss_rate,
    "out_MR": lambda ours: ours.curve.MR,
    "out_JI_per_threshold": lambda ours: ours.index.per_threshold,
    "out_JI_counts": lambda ours: ours.index.counts,
    "out_JI_images": lambda ours: ours.index.images,
    "out_JI": lambda ours: ours.index.JI,
    "out_JI_threshold": lambda ours: ours.index.threshold,
}


def corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def scenes(arrays: Arrays) -> list[Scene]:
    boxes, ignored = corners(arrays["in_gt_xywh"]), arrays["in_gt_ignore"] == 1
    found = []
    for image, (width, height) in enumerate(arrays["in_img_size"].tolist()):
        mine = arrays["in_gt_image"] == image
        found.append(Scene(str(image), width, height, boxes[mine & ~ignored], boxes[mine & ignored]))
    return found


def score(arrays: Arrays) -> Result:
    rows = np.concatenate([corners(arrays["in_det_xywh"]), arrays["in_det_score"][:, None]], axis=1)
    detections = {str(image): rows[arrays["in_det_image"] == image] for image in np.unique(arrays["in_det_image"])}
    return evaluate(scenes(arrays), detections)


def check(arrays: Arrays) -> None:
    """Compare every expected array; one that nothing here knows fails."""
    ours = score(arrays)
    # Where nothing is detected the reference has NaN, and kdbench's own rule is that everybody is missed.
    ruled = {"out_MR", "out_grid_miss_rate"} if ours.curve.people and not len(ours.curve.order) else set()
    for key in sorted(key for key in arrays if key.startswith("out_")):
        if key == "out_n_ignore":
            assert sum(len(scene.regions) for scene in scenes(arrays)) == arrays[key]
            continue
        assert key in KNOWN, f"nothing here knows {key}"
        expected, value = arrays[key], np.asarray(KNOWN[key](ours))
        if key in ruled:
            assert np.isnan(expected).all(), key
            expected = np.ones_like(expected)
        assert value.shape == expected.shape, key
        exact = np.issubdtype(expected.dtype, np.integer)
        np.testing.assert_allclose(value, expected, rtol=0, atol=0 if exact else 1e-9, err_msg=key)


def load(file: Path) -> Arrays:
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)


def test_there_are_vectors() -> None:
    if FOLDER.parent != HERE and not FOLDER.is_dir():
        pytest.skip(f"{FOLDER.parent} has no folder crowdhuman")
    assert VECTORS, f"no *.npz under {FOLDER}"


@pytest.mark.parametrize("file", VECTORS, ids=lambda file: file.relative_to(FOLDER).with_suffix("").as_posix())
def test_vectors(file: Path) -> None:
    arrays = load(file)
    assert any(key.startswith("out_") for key in arrays)
    check(arrays)


@pytest.mark.parametrize("file", sorted((HERE / "crowdhuman").glob("*.npz")), ids=lambda file: file.stem)
def test_every_spoilt_result_is_noticed(file: Path) -> None:
    arrays = load(file)
    for key in (key for key, value in arrays.items() if key.startswith("out_") and value.size):
        if np.isnan(arrays[key]).any():
            continue
        with pytest.raises(AssertionError):
            check({**arrays, key: arrays[key] + np.asarray(1 if arrays[key].dtype.kind == "i" else 2e-9)})
    with pytest.raises(AssertionError, match="nothing here knows out_new"):
        check({**arrays, "out_new": np.zeros(1)})


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_annotation_files(file: Path, tmp_path: Path) -> None:
    expected = json.loads(file.with_name(f"{file.stem}_expected.json").read_text())
    for image in expected["images"]:
        cv2.imwrite(str(tmp_path / image["file"]), np.zeros((image["height"], image["width"], 3), np.uint8))
    (tmp_path / file.name).write_bytes(file.read_bytes())
    split = {"annotations": file.name, "images": "."}
    values: dict[str, Any] = {"kind": "crowdhuman", "name": "sample", "train": split, "search": split, "report": split}
    files = prepare(DatasetSpec.parse(values, "test"), tmp_path / "storage", tmp_path).splits["search"]
    place = {"ann_file": str(files.annotations), "img_prefix": str(files.images), "classes": ("person",)}
    dataset = build_dataset({"type": "CocoDataset", **place, "pipeline": [], "test_mode": True})
    marks = [dataset.coco.imgToAnns[info["id"]] for info in dataset.data_infos]
    for image, info, mine in zip(expected["images"], dataset.data_infos, marks, strict=True):
        assert (info["filename"], info["width"], info["height"]) == (image["file"], image["width"], image["height"])
        assert [bool(mark["iscrowd"]) for mark in mine] == [box["ignore"] for box in image["boxes"]]
        boxes = corners(np.array([mark["bbox"] for mark in mine], dtype=np.float64).reshape(-1, 4))
        full, seen = (
            np.array([box[key] for box in image["boxes"]]).reshape(-1, 4) for key in ("full_xyxy", "evaluated_xyxy")
        )
        np.testing.assert_array_equal(boxes, full)
        np.testing.assert_array_equal(clip(boxes, image["width"], image["height"]), seen)
    ignored = sum(mark["iscrowd"] for mine in marks for mark in mine)
    total = {"images": len(marks), "persons": sum(map(len, marks)) - ignored, "ignore": ignored}
    assert total == expected["totals"]
