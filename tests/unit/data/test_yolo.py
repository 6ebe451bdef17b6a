"""YOLO's text files: boxes and polygons in shares of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from tests.unit.data.own import boxes, content, labels, picture, prepared, text

LINE = "1 0.25 0.5 0.25 0.5"
BOX = [20, 30, 40, 60]
TRAIN = {"images": "images/train"}


def yolo(root: Path, train: dict[str, Any] | None = None, **more: Any) -> Any:
    return prepared(root, train or TRAIN, **{"kind": "yolo", "classes": ["cat", "dog"], **more})


def folders(root: Path, files: dict[str, str | bytes], images: list[str] | None = None) -> None:
    for name in images or ["images/train/a.jpg"]:
        picture(root / name)
    for name, lines in files.items():
        text(root / name, lines)


@pytest.mark.parametrize(
    ("lines", "found", "classes"),
    [
        (f"{LINE}\n", [BOX], ["dog"]),
        (f"{LINE}\r\n0 0.5 0.5 1 1\r\n\r\n", [BOX, [0, 0, 160, 120]], ["dog", "cat"]),
        (b"\xef\xbb\xbf" + LINE.encode(), [BOX], ["dog"]),
        (LINE.encode("utf-16"), [BOX], ["dog"]),
        ("1.0\t0,25 0,5 0,25 0,5", [BOX], ["dog"]),
        ("1,0.25,0.5,0.25,0.5", [BOX], ["dog"]),
        ("dog 0.25 0.5 0.25 0.5", [BOX], ["dog"]),
        ("1 0.125 0.25 0.375 0.25 0.375 0.75 0.125 0.75", [BOX], ["dog"]),
        ("", [], []),
        # Pose labels: a box, and keypoints with what is seen of each; an even number of numbers in all is no polygon.
        (f"{LINE} 0.2 0.4 2 0.3 0.6 1 0.25 0.5 0 0.2 0.5 2", [BOX], ["dog"]),
        (f"{LINE} 0.2 0.4 1 0.3 0.6 1", [BOX], ["dog"]),
        (f"{LINE} 0.2 0.4 2", [BOX], ["dog"]),
        # Not these: a polygon with corners on the image's edge.
        ("1 0.5 0.25 0.5 0.75 0.9 0.75 1 0.5 0.9 0", [[80, 0, 80, 90]], ["dog"]),
    ],
)
def test_lines(tmp_path: Path, lines: str | bytes, found: list[Any], classes: list[str]) -> None:
    other = ("images/train/b.jpg", "labels/train/b.txt")
    folders(
        tmp_path,
        {"labels/train/a.txt": lines, other[1]: f"{LINE}\n0 0.5 0.5 0.1 0.1"},
        ["images/train/a.jpg", other[0]],
    )
    data = yolo(tmp_path)
    assert boxes(data)["a.jpg"] == found
    assert labels(data)["a.jpg"] == classes
    assert content(data)["images"][0]["width"] == 160


@pytest.mark.parametrize(
    ("images", "labels_", "split"),
    [
        ("images/train/a.jpg", "labels/train/a.txt", {"images": "images/train"}),
        ("images/train/sub/a.jpg", "labels/train/sub/a.txt", {"images": "images/train"}),
        ("train/images/a.jpg", "train/labels/a.txt", {"images": "train/images"}),
        ("images/a.PNG", "labels/a.txt", {"images": "images"}),
        ("obj_train_data/a.jpg", "obj_train_data/a.txt", {"images": "obj_train_data"}),
        ("images/train/a.jpg", "images/train/a.txt", {"images": "images/train"}),
        ("pictures/a.jpg", "marks/a.txt", {"images": "pictures", "labels": "marks"}),
        ("images/train/a.jpg", "labels/train/a.txt", {"images": "train.txt"}),
        ("images/train/a.jpg", "marks/train/a.txt", {"images": "train.txt", "labels": "marks"}),
        ("images/train/a.jpg", "marks/a.txt", {"images": "train.txt", "labels": "marks"}),
    ],
)
def test_layouts(tmp_path: Path, images: str, labels_: str, split: dict[str, Any]) -> None:
    folders(tmp_path, {labels_: f"{LINE}\n0 0.5 0.5 0.1 0.1", "train.txt": images}, [images])
    data = yolo(tmp_path, split)
    assert [len(found) for found in boxes(data).values()] == [2]
    assert data.notes == ""


@pytest.mark.parametrize(
    "line",
    [
        *("images/train/a.jpg", "./images/train/a.jpg", "data/images/train/a.jpg", "../images/train/a.jpg"),
        *("/home/x/set/images/train/a.jpg", "C:\\set\\images\\train\\a.jpg"),
    ],
)
def test_lines_of_lists(tmp_path: Path, line: str) -> None:
    folders(tmp_path, {"labels/train/a.txt": f"{LINE}\n0 0.5 0.5 0.1 0.1", "lists/train.txt": f"{line}\ngone.jpg\n"})
    data = yolo(tmp_path, {"images": "lists/train.txt"})
    assert list(boxes(data)) == ["images/train/a.jpg"]
    assert "3 listed images without a file skipped" in data.notes


@pytest.mark.parametrize(
    ("line", "kept", "notes"),
    [
        (LINE, 1, "3 boxes given twice dropped"),
        ("0 40 60 20 30", 1, "3 boxes that are no shares 0..1 dropped"),
        ("7 0.5 0.5 0.1 0.1", 1, "3 boxes of unknown classes skipped"),
        ("0 0.9 0.9 0.4 0.4", 2, "3 boxes clipped to their image"),
        ("0 0.5 0.5 0 0.1", 1, "3 boxes without area dropped"),
        ("0 nan 0.5 0.1 0.1", 1, "3 boxes without area dropped"),
        # Six digits of a share are a hundredth of a pixel: no box is clipped for that.
        ("0 0.937501 0.5 0.125 1.000000", 2, ""),
    ],
)
def test_dirt_is_counted(tmp_path: Path, line: str, kept: int, notes: str) -> None:
    folders(tmp_path, {"labels/train/a.txt": f"{LINE}\n{line}\n"})
    data = yolo(tmp_path)
    assert len(boxes(data)["a.jpg"]) == kept
    assert notes in data.notes
    assert ("clipped" in data.notes) == ("clipped" in notes)


def test_images_and_labels_without_each_other(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"labels/train/a.txt": f"{LINE}\n0 0.5 0.5 0.1 0.1", "labels/train/z.txt": LINE}
    folders(tmp_path, {**files, "labels/train/classes.txt": "cat"}, ["images/train/a.jpg", "images/train/b.jpg"])
    data = yolo(tmp_path)
    assert boxes(data)["b.jpg"] == []
    assert data.notes == (
        "3 images without objects kept, 3 images without a label file taken as without objects, "
        "3 label files without an image skipped"
    )


def test_polygons_become_masks(tmp_path: Path) -> None:
    polygon = "0 0.125 0.25 0.375 0.25 0.375 0.75"
    folders(tmp_path, {"labels/train/a.txt": f"{polygon}\n{LINE}"})
    data = yolo(tmp_path, masks=True)
    one, two = content(data)["annotations"]
    assert (one["segmentation"], one["iscrowd"]) == ([[20, 30, 60, 30, 60, 90]], 0)
    assert two["iscrowd"] == 1
    assert "3 objects without a usable mask ignored" in data.notes


@pytest.mark.parametrize(
    ("files", "split", "words"),
    [
        ({"labels/train/a.txt": "0 0.5 0.5 0.1 0.1 0.9"}, TRAIN, r"a\.txt: line 1: has a sixth number"),
        ({"labels/train/a.txt": f"{LINE}\n0 0.5"}, TRAIN, r"a\.txt: line 2: has 2 numbers"),
        (
            {"labels/train/a.txt": "bird 0.5 0.5 0.1 0.1"},
            TRAIN,
            r"line 1: begins with 'bird', which is no class number",
        ),
        ({"labels/train/a.txt": "-1 0.5 0.5 0.1 0.1"}, TRAIN, r"line 1: begins with '-1'"),
        ({"labels/train/a.txt": "0 80 60 20 20"}, TRAIN, "boxes are pixels and no shares"),
        ({"labels/train/a.txt": f"{LINE}\n2 0.5 0.5 0.1 0.1"}, TRAIN, "class numbers go from 1 to 2 .* counts from 0"),
        ({"labels/a.txt": LINE}, TRAIN, "no image of images/train has a label file .*labels/train/a.txt"),
        ({"labels/train/a.txt": LINE}, {"images": "images/val"}, "has no images/val"),
        ({"labels/train/a.txt": LINE}, {"images": "labels"}, "has no image"),
        ({"labels/train/a.txt": LINE, "t.csv": "a"}, {"images": "t.csv"}, "is no list of images"),
        ({"labels/train/a.txt": b"\xff\xb0 1"}, TRAIN, "line 1: is not UTF-8 text"),
        ({"labels/train/a.txt": LINE, "t.txt": "/etc/hosts\n"}, {"images": "t.txt"}, "lies outside"),
    ],
)
def test_what_is_refused(tmp_path: Path, files: dict[str, Any], split: dict[str, Any], words: str) -> None:
    folders(tmp_path, files)
    with pytest.raises(InputError, match=words) as error:
        yolo(tmp_path, split)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": None}, "needs 'classes'"),
        ({"train": {"cut": 2}}, "split train of a yolo dataset needs 'images'"),
        ({"train": {"images": "a", "annotations": "b"}}, "leave 'annotations' out"),
        ({"kind": "coco", "train": {"images": "a"}}, "split train of a coco dataset needs 'annotations'"),
        ({"kind": "voc", "train": {"images": "a"}}, "needs 'image_sets' or 'annotations'"),
        ({"kind": "coco", "train": {"annotations": "a", "labels": "b"}}, "'labels' is of yolo"),
        ({"kind": "yolo", "cut_by": "size"}, "cut_by"),
    ],
)
def test_specs(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        yolo(tmp_path, **changes)


@pytest.mark.parametrize(("points", "said"), [("0.2 0.4 0.3 0.6", True), ("0.2 0.4 0.5 0.9", False)])
def test_keypoints_of_two_numbers_may_be_meant(tmp_path: Path, points: str, said: bool) -> None:
    lines = "".join(f"{number} 0.25 0.5 0.25 0.5 {points[:-1]}{digit}\n" for number in (0, 1) for digit in (4, 5))
    folders(tmp_path, {"labels/train/a.txt": lines})
    assert ("may be a box with keypoints" in yolo(tmp_path).notes) is said


def test_corners_in_place_of_centres_are_said(tmp_path: Path) -> None:
    lines = "".join(f"{number % 2} 0.{number} 0.{number} 0.{number + 2} 0.9\n" for number in range(2, 7))
    folders(tmp_path, {"labels/train/a.txt": lines})
    assert "YOLO's x and y are the centre of a box, here they may be a corner" in yolo(tmp_path).notes
