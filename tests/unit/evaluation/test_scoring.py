"""COCO's figures against pycocotools, VOC's by hand and against mmdet's VOCDataset."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kdbench.data import Prepared, prepare
from kdbench.data.loaders import build_dataset
from kdbench.errors import InputError
from kdbench.evaluation.scoring import ranked, score, without_processes
from kdbench.specs import metrics
from kdbench.specs.dataset import DatasetSpec

SIZE = (120, 160)


def dataset(data: Prepared, split: str = "search") -> Any:
    files = data.splits[split]
    place = {"ann_file": str(files.annotations), "img_prefix": str(files.images), "classes": data.classes}
    return build_dataset({"type": "CocoDataset", **place, "pipeline": [], "test_mode": True})


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    values: dict[str, Any] = {"kind": "shapes", "name": "shapes", "image_size": SIZE, "train": {"size": 1}}
    spec = DatasetSpec.parse({**values, "search": {"size": 12}, "report": {"size": 1}}, "test")
    return dataset(prepare(spec, tmp_path_factory.mktemp("storage"), None))


def guesses(truth: Any, seed: int, classes: int) -> list[list[np.ndarray]]:
    """Shaken boxes of the annotations and false ones, an array (D, 5) a class and image."""
    random = np.random.default_rng(seed)
    found = []
    for index in range(len(truth)):
        marks = truth.get_ann_info(index)
        rows = []
        for label in range(classes):
            near = np.repeat(marks["bboxes"][marks["labels"] == label], 2, axis=0)
            corner = random.uniform(0, 80, (2, 2))
            wrong = np.concatenate([corner, corner + random.uniform(5, 40, (2, 2))], axis=1)
            boxes = np.concatenate([near + random.normal(0, 2.5, near.shape), wrong])
            rows.append(np.column_stack([boxes, random.uniform(0.05, 1, len(boxes))]).astype(np.float32))
        found.append(rows)
    return found


def with_masks(boxes: list[list[np.ndarray]]) -> list[tuple[list[np.ndarray], list[list[Any]]]]:
    """Results of a model with masks: each mask an ellipse in its box."""
    from pycocotools import mask as encoder

    def ellipse(x1: float, y1: float, x2: float, y2: float, _score: float) -> Any:
        canvas = np.zeros(SIZE, np.uint8)
        centre, axes = ((x1 + x2) / 2, (y1 + y2) / 2), (max(x2 - x1, 1) / 2, max(y2 - y1, 1) / 2)
        cv2.ellipse(canvas, tuple(map(int, centre)), tuple(map(int, axes)), 0, 0, 360, 1, -1)
        return encoder.encode(np.asfortranarray(canvas))

    return [(rows, [[ellipse(*row.tolist()) for row in own] for own in rows]) for rows in boxes]


def pycocotools_stats(truth: Any, results: list[Any], kind: str) -> np.ndarray:
    """The six AP figures, from pycocotools alone."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    ann_file = Path(truth.ann_file)
    entries = []
    for index, result in enumerate(results):
        boxes, masks = result if isinstance(result, tuple) else (result, None)
        for label, rows in enumerate(boxes):
            for row, (x1, y1, x2, y2, value) in enumerate(rows.tolist()):
                entry = {"image_id": index + 1, "category_id": label + 1, "score": value}
                shape = {"bbox": [x1, y1, x2 - x1, y2 - y1]} if kind == "bbox" else {"segmentation": masks[label][row]}
                entries.append({**entry, **shape})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(ann_file))
        run = COCOeval(coco, coco.loadRes(entries), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    stats: np.ndarray = run.stats[:6]
    return stats


def test_box_and_mask_figures_are_those_of_pycocotools(shapes: Any) -> None:
    results = with_masks(guesses(shapes, 0, 3))
    ours = score(shapes, results, "segm_mAP")
    for kind, names in (("bbox", metrics.BOX), ("segm", metrics.MASK)):
        for name, expected in zip(names, pycocotools_stats(shapes, results, kind), strict=True):
            if expected < 0:
                assert name not in ours
            else:
                assert ours[name] == pytest.approx(expected, abs=6e-5), name  # mmdet rounds to four decimals
    assert 0 < ours["segm_mAP"] < ours["segm_mAP_50"] < 1
    assert 0 < ours["mAP_m"] < 1


def test_boxes_alone_have_no_mask_figures(shapes: Any) -> None:
    assert not set(score(shapes, guesses(shapes, 1, 3), "mAP_75")) & set(metrics.MASK)


@pytest.mark.parametrize("metric", metrics.BOX + metrics.VOC)
def test_no_detection_scores_zero(shapes: Any, metric: str) -> None:
    nothing = [[np.zeros((0, 5), np.float32)] * 3] * len(shapes)
    figures = score(shapes, nothing, metric)
    assert ranked(figures, metric) == figures["mAP"] == 0.0


def test_a_figure_that_the_split_lacks_is_one_line() -> None:
    with pytest.raises(InputError, match="metric mAP_s: the search split has no such figure") as error:
        ranked({"mAP": 0.5}, "mAP_s")
    assert "\n" not in str(error.value)


def coco_of(folder: Path, boxes: list[list[float]], classes: int = 1) -> Any:
    """A dataset of one image with these boxes x, y, w, h; of several classes in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "a.png"), np.zeros((100, 400, 3), np.uint8))
    marks = [{"id": i, "image_id": 1, "category_id": i % classes, "bbox": box} for i, box in enumerate(boxes)]
    names = [{"id": i, "name": f"c{i}"} for i in range(classes)]
    images = [{"id": 1, "file_name": "a.png", "width": 400, "height": 100}]
    (folder / "a.json").write_text(json.dumps({"images": images, "annotations": marks, "categories": names}))
    split = {"annotations": "a.json", "images": "."}
    values = {"kind": "coco", "name": "own", "train": split, "search": split, "report": split}
    return dataset(prepare(DatasetSpec.parse(values, "test"), folder / "storage", folder))


FOUR = [[100.0 * i, 10, 50, 50] for i in range(4)]


def row(x: float, value: float, width: float = 50) -> list[float]:
    return [x, 10, x + width, 60, value]


def test_voc_by_hand(tmp_path: Path) -> None:
    # By score: hit, miss, hit, hit, miss of 4 objects. Recall .25 .25 .5 .75 .75, precision 1 .5 .6667 .75 .6.
    found = [row(0, 0.9), row(60, 0.8), row(100, 0.7), row(200, 0.6), row(0, 0.5)]
    figures = score(coco_of(tmp_path, FOUR), [[np.array(found, np.float32)]], "AP50_11")
    assert figures["AP50_11"] == pytest.approx((3 * 1 + 5 * 0.75) / 11, abs=1e-6)
    assert figures["AP50_area"] == pytest.approx(0.25 * 1 + 0.5 * 0.75, abs=1e-6)


def test_voc_is_a_mean_over_classes_that_have_objects(tmp_path: Path) -> None:
    truth = coco_of(tmp_path, FOUR[:2], classes=2)
    found = [np.array([row(0, 0.9)], np.float32), np.array([row(300, 0.9)], np.float32)]
    assert score(truth, [found], "AP50_area")["AP50_area"] == pytest.approx(0.5)


def test_voc_is_counted_in_this_process(shapes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(shapes) > 1, "mmdet forks for several images alone"

    def fork() -> None:
        raise AssertionError("a trial with threads that forks may wait for ever")

    monkeypatch.setattr("os.fork", fork)
    assert 0 < score(shapes, guesses(shapes, 1, 3), "AP50_11")["AP50_11"] <= 1


def test_voc_counts_the_last_pixel(tmp_path: Path) -> None:
    # With it 10 of 19.5 columns are shared, without it 9 of 18.5.
    truth = coco_of(tmp_path, [[0, 10, 9, 50]])
    found = np.array([[0, 10, 18.5, 60, 0.9]], np.float32)
    assert score(truth, [[found]], "AP50_11")["AP50_11"] == pytest.approx(1.0)


@pytest.fixture
def voc_folder(tmp_path: Path) -> Path:
    """VOC2007 with six images, two classes, and difficult objects; integer corners as VOC has."""
    random = np.random.default_rng(3)
    root = tmp_path / "VOC2007"
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / folder).mkdir(parents=True)
    for name in "abcdef":
        objects = ""
        for index in range(4):
            x, y = random.integers(1, 90, 2)
            w, h = random.integers(15, 50, 2)
            sides = {"xmin": x, "ymin": y, "xmax": x + w, "ymax": y + h}
            corners = "".join(f"<{key}>{side}</{key}>" for key, side in sides.items())
            difficult = f"<difficult>{int(index == 0)}</difficult>"
            objects += (
                f"<object><name>{'cat' if index % 2 else 'dog'}</name>{difficult}<bndbox>{corners}</bndbox></object>"
            )
        size = "<size><width>160</width><height>150</height></size>"
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
        cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), np.zeros((150, 160, 3), np.uint8))
    (root / "ImageSets/Main/all.txt").write_text("\n".join("abcdef"))
    return tmp_path


@pytest.mark.parametrize(("year", "metric"), [(2007, "AP50_11"), (2012, "AP50_area")])
def test_voc_is_what_mmdets_own_dataset_gives(voc_folder: Path, year: int, metric: str) -> None:
    from mmdet.datasets import VOCDataset

    names = ("cat", "dog")
    split = {"image_sets": ["VOC2007/all"]}
    values = {"kind": "voc", "name": "v", "classes": names, "train": split, "search": split, "report": split}
    ours = dataset(prepare(DatasetSpec.parse(values, "test"), voc_folder / "storage", voc_folder))
    place = {"ann_file": str(voc_folder / "VOC2007/ImageSets/Main/all.txt"), "img_prefix": str(voc_folder / "VOC2007")}
    theirs = VOCDataset(**place, pipeline=[], classes=names, test_mode=True)
    theirs.year = year
    results = guesses(theirs, 5, 2)
    for index, rows in enumerate(results):  # one on a difficult object in each image: it must not count
        hard = theirs.get_ann_info(index)["bboxes_ignore"][0]
        rows[1] = np.concatenate([rows[1], [[*hard, 0.99]]]).astype(np.float32)
    with contextlib.redirect_stdout(io.StringIO()), without_processes():
        expected = theirs.evaluate(results, logger="silent")["mAP"]
    assert 0.1 < expected < 0.99
    assert score(ours, results, metric)[metric] == pytest.approx(expected, abs=1e-6)
