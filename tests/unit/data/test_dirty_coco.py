"""COCO files as people write them: each kind of dirt is mended or dropped, and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kdbench.data import prepare
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec

IMAGE = {"id": 7, "file_name": "a.png", "width": 60, "height": 40}
CAT = {"id": 3, "name": "cat"}


def box(number: int, corners: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 7, "category_id": 3, "bbox": corners, "area": 81, "iscrowd": 0, **more}


GOOD = box(1, [2, 2, 9, 9])


def train(
    tmp_path: Path, boxes: list[Any], images: list[Any] | None = None, cats: list[Any] | None = None, **more: Any
) -> tuple[dict[str, Any], str]:
    """The prepared train file, and the notes."""
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(root / "images" / name), np.zeros((40, 60, 3), np.uint8))
    clean = {"images": [IMAGE], "annotations": [box(1, [2, 2, 9, 9], segmentation=[[2, 2, 11, 2, 11, 11]])]}
    (root / "clean.json").write_text(json.dumps({**clean, "categories": [CAT]}))
    content = {"images": images or [IMAGE], "annotations": boxes, "categories": cats or [CAT]}
    (root / "dirty.json").write_text(json.dumps(content))
    rest = {"annotations": "clean.json", "images": "images"}
    values = {"kind": "coco", "name": "own", "train": {**rest, "annotations": "dirty.json"}, "search": rest}
    data = prepare(DatasetSpec.parse({**values, "report": rest, **more}, "test"), tmp_path, root)
    assert "\n" not in data.notes
    return json.loads(data.splits["train"].annotations.read_text()), data.notes


@pytest.mark.parametrize(
    ("boxes", "kept", "notes"),
    [
        ([GOOD, box(1, [20, 20, 9, 9])], 2, "1 boxes that shared an id renumbered"),
        ([GOOD, GOOD], 1, "1 boxes given twice dropped"),
        ([GOOD, box(2, [1, 2, 3])], 1, "1 boxes without area dropped"),
        ([GOOD, box(2, None)], 1, "1 boxes without area dropped"),
        ([GOOD, box(2, ["x", 1, 2, 3])], 1, "1 boxes without area dropped"),
        ([GOOD, box(2, [float("nan"), 1, 2, 3])], 1, "1 boxes without area dropped"),
        ([GOOD, box(2, [9, 9, -5, 4])], 2, "1 boxes with corners the wrong way round put in order"),
        ([GOOD, box(2, [50, 30, 40, 40])], 2, "1 boxes clipped to their image"),
        ([GOOD, box(2, [70, 10, 9, 9])], 1, "1 boxes outside their image dropped"),
        ([GOOD, box(2, [20, 20, 9, 9], image_id=99)], 1, "1 boxes of images that are not listed skipped"),
        ([GOOD, box(2, [20, 20, 9, 9], category_id=99)], 1, "1 boxes of unknown classes skipped"),
        ([box(1, [2, 2, 9, 9], area=0)], 1, ""),
        ([box(1, [2, 2, 9, 9], area=float("nan"))], 1, ""),
    ],
)
def test_dirty_boxes(tmp_path: Path, boxes: list[Any], kept: int, notes: str) -> None:
    content, found = train(tmp_path, boxes)
    assert found == notes
    assert len(content["annotations"]) == kept
    assert len({item["id"] for item in content["annotations"]}) == kept
    # mmdet leaves objects of area 0 out of training.
    assert all(item["area"] > 0 for item in content["annotations"])


@pytest.mark.parametrize(
    ("images", "kept", "notes"),
    [
        ([IMAGE, {**IMAGE, "id": 8, "file_name": "gone.png"}], 1, "1 listed images without a file skipped"),
        ([IMAGE, IMAGE], 1, "1 images listed twice skipped"),
        ([IMAGE, {**IMAGE, "id": 8}], 1, "1 images listed twice skipped"),
        ([IMAGE, {**IMAGE, "id": 8, "file_name": "b.png"}], 2, "1 images without objects kept"),
        ([{**IMAGE, "width": 0}], 1, ""),
        ([{"id": 7, "file_name": "a.png"}], 1, ""),
    ],
)
def test_dirty_images(tmp_path: Path, images: list[Any], kept: int, notes: str) -> None:
    content, found = train(tmp_path, [GOOD], images)
    assert found == notes
    assert len(content["images"]) == kept
    assert (content["images"][0]["width"], content["images"][0]["height"]) == (60, 40)


def test_two_ids_of_one_class_are_one_class(tmp_path: Path) -> None:
    content, _ = train(tmp_path, [GOOD, box(2, [20, 20, 9, 9], category_id=4)], cats=[CAT, {"id": 4, "name": "cat"}])
    assert content["categories"] == [{"id": 1, "name": "cat"}]
    assert len(content["annotations"]) == 2


def test_an_object_without_its_mask_is_ignored_where_masks_are_used(tmp_path: Path) -> None:
    polygon = [[2, 2, 11, 2, 11, 11]]
    boxes = [
        box(1, [2, 2, 9, 9], segmentation=polygon),
        box(2, [20, 20, 9, 9]),
        box(3, [5, 5, 9, 9], segmentation=[[1]]),
    ]
    content, notes = train(tmp_path, boxes, masks=True)
    assert notes == "2 objects without a usable mask ignored"
    assert [item["iscrowd"] for item in content["annotations"]] == [0, 1, 1]
    assert all(len(item["segmentation"][0]) >= 6 for item in content["annotations"])


@pytest.mark.parametrize(
    ("boxes", "images", "words"),
    [
        ([box(1, [2, 2, 9, 9], iscrowd=1)], None, "no usable object"),
        ([GOOD], [{**IMAGE, "file_name": "gone.png"}], "none of its 1 images lies in .*images; check the data root"),
    ],
)
def test_nothing_usable_is_one_line(tmp_path: Path, boxes: list[Any], images: list[Any] | None, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        train(tmp_path, boxes, images)
    assert "\n" not in str(error.value)
