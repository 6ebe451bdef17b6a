"""COCO files as converters and annotation tools write them: what is read, what is said of it, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdbench.data.raw import Box, Image, RawSplit, in_pixels
from kdbench.errors import InputError
from tests.unit.data.own import boxes, content, labels, picture, prepared

CAT, DOG = {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}
SPLIT = {"annotations": "a.json", "images": "images"}
BOX = [10, 20, 30, 40]


def image(number: Any, name: str = "", **more: Any) -> dict[str, Any]:
    return {"id": number, "file_name": name or f"{number}.jpg", "width": 160, "height": 120, **more}


def box(number: Any, image_id: Any = 1, corners: Any = None, category: Any = 1, **more: Any) -> dict[str, Any]:
    marks = {"bbox": BOX if corners is None else corners, "category_id": category, "area": 9.0, "iscrowd": 0}
    return {"id": number, "image_id": image_id, **marks, **more}


def coco(
    root: Path,
    annotations: list[Any],
    images: list[Any] | None = None,
    categories: list[Any] | None = None,
    files: tuple[str, ...] = ("1.jpg", "2.jpg"),
    **more: Any,
) -> Any:
    for name in files:
        picture(root / "images" / name)
    values = {"images": images or [image(1)], "annotations": annotations, "categories": categories or [CAT]}
    (root / "a.json").write_text(json.dumps(values))
    return prepared(root, SPLIT, **more)


@pytest.mark.parametrize(
    ("annotations", "images", "notes"),
    [
        ([box(1)], None, ""),
        ([box("1", "1"), box("2", 1)], [image("1")], "1 boxes whose ids were text here and a number there matched"),
        ([box(1, 1.0)], None, "1 boxes whose ids were text here and a number there matched"),
        ([box(1, 1, category="1")], None, "1 boxes whose ids were text here and a number there matched"),
        ([box(1, 1)], [image("0001", "1.jpg")], "1 boxes whose ids were text here and a number there matched"),
        ([box(1, "a")], [image("a", "1.jpg")], ""),
        ([box(1, corners="[10, 20, 30, 40]")], None, "1 boxes written as text or with named sides read"),
        ([box(1, corners=["10", "20,0", "30.0", 40])], None, "1 boxes written as text or with named sides read"),
        ([box(1, corners=dict(zip(("x", "y", "width", "height"), BOX, strict=True)))], None, "named sides read"),
        (
            [box(1, iscrowd="0"), box(2, ignore="false")],
            None,
            "2 iscrowd, ignore or difficult that are not 0 or 1 read",
        ),
        ([box(1, iscrowd=None), box(2, iscrowd=False), box(3, iscrowd=float("nan"))], None, ""),
        ([box(1)], [image(1, width="160.0", height="120")], ""),
        ([box(1)], [image(1, width=None, height=120)], ""),
        ([box(1)], [image(1, "images\\1.jpg")], "1 images found under another name than the listed"),
        ([box(1)], [image(1, "images/1.jpg")], "1 images found under another name than the listed"),
        ([box(1)], [image(1, "C:\\set\\1.JPG")], "1 images found under another name than the listed"),
        ([box(1)], [image(1, "1")], "1 images found under another name than the listed"),
        ([box(1)], [image(1, "./1.jpg")], ""),
        ([box(1)], [image(1, "../../label-studio/media/upload/1.jpg")], "1 images found under another name"),
        ([box(1, corners=[BOX])], None, "1 boxes written as text or with named sides read"),
        ([box(1)], [{"id": 1, "coco_url": "http://images.org/train/1.jpg"}], "images found under another name"),
        ([box(1), box(2)], [image(1), image(2, "1.jpg")], "1 images listed twice skipped"),
        ([box(1), box(2, 2)], [image(1), image(2, "1.jpg")], "1 images listed twice skipped"),
        ([box(1), box(2, 2, [1, 2, 3, 4])], [image(1), image(2, "1.jpg")], "1 entries for an image"),
        ([box(1), box(2, 2, [1, 2, 3, 4])], [image(1), image(2, ".\\images\\1.jpg")], "1 entries for an image"),
        ([box(1, area="9")], None, ""),
        ([box(1, attributes={"occluded": False, "rotation": 0.0})], None, ""),
    ],
)
def test_what_is_read(tmp_path: Path, annotations: list[Any], images: list[Any] | None, notes: str) -> None:
    data = coco(tmp_path, annotations, images)
    found = content(data)
    assert boxes(data)["1.jpg"][0] == BOX
    assert all(item["iscrowd"] == 0 for item in found["annotations"])
    assert (found["images"][0]["width"], found["images"][0]["height"]) == (160, 120)
    # Three splits are the same one.
    assert data.notes == "" if not notes else notes.lstrip("0123456789") in data.notes
    if notes[:1].isdigit():
        assert data.notes.startswith(f"{3 * int(notes.split()[0])} ")


@pytest.mark.parametrize("wrap", [lambda item: item, lambda item: {"0": item}])
def test_an_only_entry_without_its_list(tmp_path: Path, wrap: Any) -> None:
    picture(tmp_path / "images" / "1.jpg")
    values = {"images": wrap(image(1)), "annotations": wrap(box(1)), "categories": wrap(CAT)}
    (tmp_path / "a.json").write_text(json.dumps(values))
    assert boxes(prepared(tmp_path, SPLIT)) == {"1.jpg": [BOX]}


def test_flags_that_say_yes(tmp_path: Path) -> None:
    data = coco(tmp_path, [box(1), box(2, iscrowd="1"), box(3, ignore="True"), box(4, iscrowd=1)])
    assert [item["iscrowd"] for item in content(data)["annotations"]] == [0, 1, 1, 1]


def test_a_turned_box_of_cvat(tmp_path: Path) -> None:
    data = coco(tmp_path, [box(1, corners=[10, 20, 40, 20], attributes={"rotation": 90.0})])
    assert boxes(data)["1.jpg"][0] == pytest.approx([20, 10, 20, 40])
    assert data.notes == "3 rotated boxes taken as the upright box around them"


def test_an_entry_for_each_box_with_the_same_box_twice(tmp_path: Path) -> None:
    data = coco(
        tmp_path,
        [box(1), box(2, 2), box(3, 2, [1, 2, 3, 4])],
        [image(1), image(2, "1.jpg")],
    )
    assert boxes(data) == {"1.jpg": [BOX, [1, 2, 3, 4]]}
    assert "3 boxes given twice dropped" in data.notes


def test_a_folder_of_roboflow(tmp_path: Path) -> None:
    root = {"id": 0, "name": "pets", "supercategory": "none"}
    cats = [root, {**CAT, "supercategory": "pets"}, {**DOG, "supercategory": "pets"}]
    splits = {}
    for split, key in (("train", "train"), ("valid", "search"), ("test", "report")):
        picture(tmp_path / split / "a_jpg.rf.0f.jpg")
        entry = image(0, "a_jpg.rf.0f.jpg", extra={"name": "a.jpg"})
        values = {"images": [entry], "annotations": [box(0, 0), box(1, 0, category=2)], "categories": cats}
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(values))
        splits[key] = {"annotations": f"{split}/_annotations.coco.json", "images": split}
    data = prepared(tmp_path, splits.pop("train"), **splits)
    assert data.classes == ("cat", "dog")
    assert labels(data) == {"a_jpg.rf.0f.jpg": ["cat", "dog"]}
    assert data.notes == "3 files with a root category that no box has, which is left out"


@pytest.mark.parametrize(
    ("categories", "classes"),
    [
        ([{"id": 0, "name": "cat", "supercategory": "none"}, {**CAT, "supercategory": "cat"}], ("cat",)),
        ([{**CAT, "supercategory": "pet"}, {**DOG, "supercategory": "pet"}], ("cat", "dog")),
        ([{**CAT, "supercategory": "dog"}, {**DOG, "supercategory": "cat"}], ("cat",)),
        ([{**CAT, "supercategory": ""}, {"id": "b", "name": "bird"}], ("cat", "bird")),
    ],
)
def test_roots(tmp_path: Path, categories: list[Any], classes: tuple[str, ...]) -> None:
    assert coco(tmp_path, [box(1)], categories=categories).classes == classes


@pytest.mark.parametrize(
    ("annotations", "images", "categories", "words"),
    [
        ([box(1)], [image(1), image(1, "2.jpg")], None, r"image id 1 stands for '1\.jpg' and '2\.jpg'"),
        ([box(1)], [image(1), image("1", "2.jpg")], None, r"image id 1 stands for '1\.jpg' and '2\.jpg'"),
        ([box(1)], [image(1), image(1, "gone.jpg")], None, r"image id 1 stands for '1\.jpg' and 'gone\.jpg'"),
        ([box(1)], [image(1), image(2, "1.jpg", width=320)], None, r"'1\.jpg' is listed twice, with 160 x 120 and"),
        (
            [box(1)],
            [image(1, "train/1.jpg"), image(2, "val/1.jpg")],
            None,
            r"'train/1\.jpg' and 'val/1\.jpg' both lead to '1\.jpg' in .*images",
        ),
        ([box(1)], None, [CAT, {"id": 1, "name": "dog"}], "category id 1 is 'cat' and 'dog'"),
        ([box(1, "x.jpg")], None, None, "none of its 1 boxes belongs to a listed image: image_id is like 'x.jpg'"),
        ([box(1, iscrowd="perhaps")], None, None, "annotation 1: 'iscrowd' is 'perhaps', which is neither 0 nor 1"),
        ([box(1)], None, [CAT, {"id": None, "name": "dog"}], r"categories\[1\]: 'id' is None and no id"),
        ([box(1)], [image(None, "1.jpg")], None, r"images\[0\]: 'id' is None and no id"),
        ([box(1, [1])], None, None, r"annotation 1: 'image_id' is \[1\] and no id"),
        ([{"id": 1, "bbox": BOX, "category_id": 1}], None, None, "annotation 1 has no 'image_id'"),
        ([{"image_id": 1, "bbox": BOX}], None, None, r"annotations\[0\] has no 'category_id'"),
        (["box"], None, None, r"annotations\[0\] is 'box' and no object"),
        ([box(1)], [{"id": 1}], None, r"images\[0\] has no 'file_name'"),
        ([box(1)], [{"file_name": "1.jpg"}], None, r"images\[0\] has no 'id'"),
        (
            [box(1)],
            [image(1, "gone.jpg")],
            None,
            r"none of its 1 images lies in .*images; .*'gone\.jpg', the folder has '1\.jpg'",
        ),
        ([box(1, iscrowd=1), box(2, iscrowd=1)], None, None, "no usable object of the classes cat: 2 boxes: 2 crowd"),
        ([box(1, corners=[0.1, 0.2, 0.3, 0.4])], None, None, r"1 boxes lie within 0\.\.1: they are shares, as YOLO"),
        ([box(1, corners=[90, 90, 0, -5])], None, None, "1 boxes: 1 without four numbers or without area"),
        ([{"id": 1, "image_id": 1, "category_id": 1}], None, None, "1 boxes: 1 without four numbers or without area"),
        (
            [box(1, category="cat")],
            None,
            None,
            r"has the classes 'category_id cat' \(1\)|classes 'category_id cat' \(1\)",
        ),
        ([], None, None, "it has 1 images without a box"),
    ],
)
def test_what_is_refused(tmp_path: Path, annotations: list[Any], images: Any, categories: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        coco(tmp_path, annotations, images, categories)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["CAT", " cat", "cat "])
def test_names_that_nearly_fit(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"the classes '{name}' \(1\), which differ from the task's in blanks"):
        coco(tmp_path, [box(1)], categories=[{"id": 1, "name": name}], classes=["cat"])


def test_an_id_that_is_no_number_is_that_of_no_image(tmp_path: Path) -> None:
    data = coco(tmp_path, [box(1), box(2, float("nan")), box(3, None)])
    assert data.notes == "6 boxes of images that are not listed skipped"


def test_two_files_of_one_tail(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"image 1: 'x\.jpg' may be 'a/x\.jpg' and 'b/x\.jpg' in .*images"):
        coco(tmp_path, [box(1)], [image(1, "x.jpg")], files=("a/x.jpg", "b/x.jpg"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"shapes": [], "imagePath": "a.jpg", "imageData": null}', "has no 'images'.*LabelMe file of one image"),
        ('{"a.jpg123": {"filename": "a.jpg", "regions": []}}', "VIA's own JSON"),
        ('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', "is no object.*list of detections"),
        ('[{"id": 1, "annotations": [], "data": {"image": "x"}}]', "Label Studio's own JSON"),
        ('[{"image": "a.jpg", "annotations": []}]', "CreateML"),
        ('{"images": [], "categories": []}', "has no 'annotations'"),
        ('{"images": {}, "annotations": [], "categories": []}', "'images' is no list"),
        ('{"images": 3, "annotations": [], "categories": []}', "'images' is no list"),
        ("3", "is no object"),
    ],
)
def test_other_tools_files(tmp_path: Path, text: str, words: str) -> None:
    picture(tmp_path / "images" / "1.jpg")
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=rf"a\.json: is not in COCO's format .*{words}") as error:
        prepared(tmp_path, SPLIT)
    assert "\n" not in str(error.value)


def test_two_corners_in_place_of_a_size_are_spoken_of(tmp_path: Path) -> None:
    corners = [[10, 20, 100, 90], [80, 40, 150, 110], [70, 60, 130, 100], [30, 70, 140, 110], [5, 5, 20, 30]]
    data = coco(tmp_path, [box(number, corners=four) for number, four in enumerate(corners)])
    assert "3 boxes of train leave their image on the right or below: they may be x1, y1, x2, y2" in data.notes
    ordinary = [[100, 80, 80, 60], [120, 20, 60, 30], [10, 100, 30, 40], [5, 5, 9, 9]]
    data = coco(tmp_path, [box(number, corners=four) for number, four in enumerate(ordinary)])
    assert "clipped" in data.notes
    assert "x1, y1" not in data.notes


def test_shares_among_pixels_are_spoken_of(tmp_path: Path) -> None:
    shares = [box(number, corners=[0.1, 0.2, 0.3, 0.4]) for number in range(4)]
    assert "4 boxes of train lie within 0..1: they may be shares" in coco(tmp_path, [*shares, box(9)]).notes


def test_classes_without_an_object_are_named(tmp_path: Path) -> None:
    many = [{"id": number, "name": f"c{number}"} for number in range(1, 10)]
    assert coco(tmp_path, [box(1)], categories=[CAT, DOG]).notes == ", ".join(
        f"{split} has no object of dog" for split in ("train", "search", "report")
    )
    assert "train has no object of c2, c3, c4, c5, c6 and 3 more" in coco(tmp_path, [box(1)], categories=many).notes


RUNS = {"size": [120, 160], "counts": [120 * 160 - 100, 100]}


@pytest.mark.parametrize(
    ("mask", "usable", "notes"),
    [
        (RUNS, True, ""),
        ({**RUNS, "size": [160, 120]}, False, "objects without a usable mask ignored"),
        ({**RUNS, "size": [60, 80]}, False, "objects without a usable mask ignored"),
        ({**RUNS, "counts": [5, 5]}, False, "objects without a usable mask ignored"),
        ({**RUNS, "counts": [120 * 160 + 5, -5]}, False, "objects without a usable mask ignored"),
        ({**RUNS, "counts": "~~"}, False, "objects without a usable mask ignored"),
        ({**RUNS, "counts": ""}, False, "objects without a usable mask ignored"),
        ([[10, 20, 40, 20, 40, 60]], True, ""),
        ([10, 20, 40, 20, 40, 60], True, "masks written as text or as points read"),
        ([[10, 20], [40, 20], [40, 60]], True, "masks written as text or as points read"),
        ([[[10, 20], [40, 20], [40, 60]]], True, "masks written as text or as points read"),
        ([[10, 20, 40, 20]], False, "objects without a usable mask ignored"),
        ([["a", 20, 40, 20, 40, 60]], False, "objects without a usable mask ignored"),
        ([], False, "objects without a usable mask ignored"),
        ("[[1, 2]]", False, "objects without a usable mask ignored, 3 masks written as text or as points read"),
        ("[[1, 2", False, "objects without a usable mask ignored"),
        ("[[10, 20, 40, 20, 40, 60]]", True, "masks written as text or as points read"),
        (float("nan"), False, "objects without a usable mask ignored"),
    ],
)
def test_masks(tmp_path: Path, mask: Any, usable: bool, notes: str) -> None:
    good = box(1, segmentation=[[10, 20, 40, 20, 40, 60]])
    data = coco(tmp_path, [good, box(2, segmentation=mask)], masks=True)
    found = content(data)["annotations"][1]
    assert found["iscrowd"] == (not usable)
    assert data.notes == (f"3 {notes}" if notes else "")
    if usable and isinstance(mask, list):
        assert found["segmentation"] == [[10, 20, 40, 20, 40, 60]]


def test_compressed_codes_are_measured_as_pycocotools_writes_them(tmp_path: Path) -> None:
    import numpy as np
    from pycocotools import mask as encoder

    drawn = (np.random.default_rng(0).random((120, 160)) < 0.3).astype(np.uint8)
    code = encoder.encode(np.asfortranarray(drawn))["counts"].decode()
    good = {"size": [120, 160], "counts": code}
    cut = {"size": [120, 160], "counts": code[:-40]}
    data = coco(tmp_path, [box(1, segmentation=good), box(2, segmentation=cut)], masks=True)
    assert [item["iscrowd"] for item in content(data)["annotations"]] == [0, 1]


def test_shares_become_pixels_once() -> None:
    found = Image(
        "a.jpg", 200, 100, [Box((0.1, 0.2, 0.5, 0.6), "cat", segmentation=[[0.1, 0.2, 0.5, 0.6]])], shares=True
    )
    for _ in range(2):
        in_pixels(found)
        assert found.boxes[0].corners == (20, 20, 100, 60)
        assert found.boxes[0].segmentation == [[20, 20, 100, 60]]
    assert RawSplit(Path(), [found]).problems == []


OTHER = [50, 50, 9, 9]
SQUARE = [[10, 20, 40, 20, 40, 60, 10, 60]]
CODE = {"size": [120, 160], "counts": [10 * 120 + 20, *([40, 80] * 29), 40, 14460]}


@pytest.mark.parametrize("mask", [SQUARE, [10, 20, 40, 20, 40, 60.0], CODE])
@pytest.mark.parametrize("corners", [[], [0, 0, 0, 0], "none"])
def test_an_object_with_a_mask_alone_has_the_box_around_it(tmp_path: Path, mask: Any, corners: Any) -> None:
    item = box(2, corners=corners, segmentation=mask)
    data = coco(tmp_path, [box(1, corners=OTHER), item])
    assert boxes(data)["1.jpg"] == [OTHER, BOX]
    assert "objects without a box given the box around their mask or polygon" in data.notes


@pytest.mark.parametrize("mode", [0, "BoxMode.XYXY_ABS", "XYXY_ABS"])
def test_two_corners_where_detectron2_says_so(tmp_path: Path, mode: Any) -> None:
    data = coco(tmp_path, [box(1, corners=[10, 20, 40, 60], bbox_mode=mode), box(2, corners=OTHER, bbox_mode=1)])
    assert boxes(data)["1.jpg"] == [BOX, OTHER]
    assert "boxes with bbox_mode 0 taken as two corners" in data.notes


def test_another_mode_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="annotation 1: 'bbox_mode' is 3; boxes have to be 1"):
        coco(tmp_path, [box(1, bbox_mode=3)])


@pytest.mark.parametrize(("listed", "used"), [((1, 2), (0, 1)), ((0, 1), (1, 2)), ((3, 7), (0, 1))])
def test_classes_numbered_from_another_start_are_refused(tmp_path: Path, listed: Any, used: Any) -> None:
    own = [{"id": listed[0], "name": "cat"}, {"id": listed[1], "name": "dog"}]
    found = [box(1, category=used[0]), box(2, category=used[1])]
    with pytest.raises(InputError, match=f"category ids {used[0]} to {used[1]}, .* counts from another start"):
        coco(tmp_path, found, categories=own)


def test_a_flag_that_is_another_number_is_said(tmp_path: Path) -> None:
    data = coco(tmp_path, [box(1), box(2, corners=OTHER, iscrowd=-1)])
    assert "iscrowd, ignore or difficult that are not 0 or 1 read" in data.notes


def test_classes_that_differ_in_capitals_are_said(tmp_path: Path) -> None:
    own = [CAT, {"id": 2, "name": "Cat "}]
    data = coco(tmp_path, [box(1), box(2, corners=OTHER, category=2)], categories=own)
    assert data.notes == "'Cat ' and 'cat' differ in blanks or capitals and are not one class"
