"""CrowdHuman's odgt files: who is a person, what is ignored, what is counted as dirt, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kdbench.data import Prepared, prepare
from kdbench.data.images import image_size
from kdbench.data.loaders import build_dataset
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec


def box(full: Any, tag: str = "person", visible: Any = (5, 6, 7, 8), **more: Any) -> dict[str, Any]:
    return {"tag": tag, "fbox": full, "vbox": list(visible), "hbox": [1, 1, 2, 2], **more}


GOOD = box([10, 10, 20, 25])


def line(*boxes: Any, name: str = "1,a", **more: Any) -> dict[str, Any]:
    return {"ID": name, "gtboxes": list(boxes), **more}


def crowd(folder: Path, lines: list[Any], **changes: Any) -> Prepared:
    """Prepared from an odgt file, with images 60 wide and 40 high of the lines' names; text lines stay as they are."""
    (folder / "Images").mkdir(parents=True, exist_ok=True)
    for entry in lines:
        if isinstance(entry, dict) and isinstance(entry.get("ID"), str):
            cv2.imwrite(str(folder / "Images" / f"{entry['ID']}.jpg"), np.zeros((40, 60, 3), np.uint8))
    clean = [line(GOOD, name="clean")]
    cv2.imwrite(str(folder / "Images" / "clean.jpg"), np.zeros((40, 60, 3), np.uint8))
    for name, entries in (("val.odgt", clean), ("train.odgt", lines)):
        text = "\n".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in entries)
        (folder / name).write_text(text, encoding="utf-8")
    rest = {"annotations": "val.odgt", "images": "Images"}
    values = {"kind": "crowdhuman", "name": "crowd", "train": {**rest, "annotations": "train.odgt"}, "search": rest}
    spec = DatasetSpec.parse({**values, "report": rest, **changes}, "test")
    return prepare(spec, folder / "storage", folder)


def content(data: Prepared, split: str = "train") -> dict[str, Any]:
    result: dict[str, Any] = json.loads(data.splits[split].annotations.read_text())
    return result


def loaded(data: Prepared, pipeline: list[Any] | None = None) -> Any:
    files = data.splits["train"]
    place = {"ann_file": str(files.annotations), "img_prefix": str(files.images), "classes": data.classes}
    return build_dataset({"type": "CocoDataset", **place, "pipeline": pipeline or [], "filter_empty_gt": False})


@pytest.mark.parametrize(
    ("item", "ignored"),
    [
        (GOOD, False),
        (box([1, 1, 9, 9], extra={}), False),
        (box([1, 1, 9, 9], extra=None), False),
        (box([1, 1, 9, 9], extra={"ignore": 0, "occ": 1}), False),
        (box([1, 1, 9, 9], head_attr={"ignore": 1}), False),
        (box([1, 1, 9, 9], extra={"ignore": 1}), True),
        (box([1, 1, 9, 9], "mask", extra={"ignore": 1}), True),
        (box([1, 1, 9, 9], "mask"), True),
    ],
)
def test_person_or_region_to_ignore(tmp_path: Path, item: dict[str, Any], ignored: bool) -> None:
    data = crowd(tmp_path, [line(GOOD, item)])
    assert [mark["iscrowd"] for mark in content(data)["annotations"]] == [0, int(ignored)]
    assert data.notes == ""
    assert data.classes == ("person",)
    marks = loaded(data).get_ann_info(0)
    assert (len(marks["bboxes"]), len(marks["bboxes_ignore"])) == ((1, 1) if ignored else (2, 0))


def test_full_or_visible_boxes_as_they_were_annotated(tmp_path: Path) -> None:
    lines = [line(box([-7, 3, 90, 80], visible=[0, 3, 60, 37]), box([5.5, 2.25, 10.5, 8]))]
    full = crowd(tmp_path, lines)
    assert [mark["bbox"] for mark in content(full)["annotations"]] == [[-7, 3, 90, 80], [5.5, 2.25, 10.5, 8]]
    visible = crowd(tmp_path, lines, boxes="visible")
    assert [mark["bbox"] for mark in content(visible)["annotations"]] == [[0, 3, 60, 37], [5, 6, 7, 8]]
    assert full.hash != visible.hash


def test_training_sees_full_boxes_beyond_the_image(tmp_path: Path) -> None:
    from kdbench.specs.training import PipelineSpec
    from kdbench.training.config import pipelines

    data = crowd(tmp_path, [line(box([-6, 3, 90, 80]), box([-3, -3, 30, 30], "mask"))])
    load, marks, resize = pipelines(PipelineSpec(image_scale=(120, 80)), False, clip=False)[0][:3]
    item = loaded(data, [load, marks, resize])[0]
    np.testing.assert_array_equal(item["gt_bboxes"], [[-12, 6, 168, 166]])
    np.testing.assert_array_equal(item["gt_bboxes_ignore"], [[-6, -6, 54, 54]])
    assert "bbox_clip_border" not in pipelines(PipelineSpec(image_scale=(120, 80)), False)[0][2]


@pytest.mark.parametrize(
    ("item", "kept", "trained", "notes"),
    [
        (box([1, 2, 3]), 0, 0, "1 boxes without area dropped"),
        (box(["x", 1, 2, 3]), 0, 0, "1 boxes without area dropped"),
        (box([float("nan"), 1, 2, 3]), 0, 0, "1 boxes without area dropped"),
        (box([5, 5, 0, 9]), 1, 0, "1 boxes without area left out of training"),
        (box([5, 5, -4, 9]), 1, 0, "1 boxes without area left out of training"),
        (box([60, 5, 9, 9]), 1, 0, "1 boxes outside their image left out of training"),
        (box([-9, 5, 9, 9]), 1, 0, "1 boxes outside their image left out of training"),
        (box([59, 5, 9, 9]), 1, 1, ""),
        (box([5, 5, 9, 9], "statue"), 1, 0, "1 boxes with unknown tags ignored"),
    ],
)
def test_dirt_is_counted(tmp_path: Path, item: dict[str, Any], kept: int, trained: int, notes: str) -> None:
    data = crowd(tmp_path, [line(GOOD, item)])
    assert data.notes == notes
    assert len(content(data)["annotations"]) == 1 + kept
    assert len(loaded(data).get_ann_info(0)["bboxes"]) == 1 + trained


def test_images_without_people_count_and_missing_ones_do_not(tmp_path: Path) -> None:
    lines: list[Any] = [line(GOOD), line(name="2,b"), line(box([1, 1, 9, 9], "mask"), name="3,c"), "", line(GOOD)]
    crowd(tmp_path, lines)
    data = crowd(tmp_path, [*lines, json.dumps(line(GOOD, name="gone"))])
    names = [image["file_name"] for image in content(data)["images"]]
    assert names == ["1,a.jpg", "2,b.jpg", "3,c.jpg"]
    notes = "2 images without objects kept, 1 listed images without a file skipped, 1 images listed twice skipped"
    assert data.notes == notes


def test_a_cut_keeps_boxes_as_annotated(tmp_path: Path) -> None:
    lines = [line(box([-5, -5, 99, 99]), name=str(number)) for number in range(4)]
    data = crowd(tmp_path, lines, search={"cut": 1})
    assert [mark["bbox"] for mark in content(data, "search")["annotations"]] == [[-5, -5, 99, 99]]
    assert data.splits["train"].num_images == 3


def test_sizes_are_those_of_the_files(tmp_path: Path) -> None:
    data = crowd(tmp_path, [line(GOOD), line(GOOD, name="2", width=61, height=41), line(GOOD, name="3", width=0)])
    sizes = [(image["width"], image["height"]) for image in content(data)["images"]]
    assert sizes == [(60, 40)] * 3
    assert data.notes == "1 images of another size than annotated, used as displayed with boxes as they are"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_a_size_is_what_mmcv_will_load(tmp_path: Path, suffix: str, orientation: int | None) -> None:
    import mmcv
    from PIL import Image

    file, image = tmp_path / f"a{suffix}", Image.new("RGB", (60, 40))
    exif = image.getexif()
    if orientation:
        exif[0x0112] = orientation
    image.save(file, exif=exif)
    height, width = mmcv.imfrombytes(file.read_bytes()).shape[:2]
    assert image_size(file) == (width, height)


def test_a_size_is_read_from_the_header_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 255, (400, 600, 3), dtype=np.uint8))
    file.write_bytes(file.read_bytes()[:700])
    assert image_size(file) == (600, 400)
    file.write_bytes(b"no image")
    assert image_size(file) == (0, 0)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ('{"ID": "2", "gtb', r"line 2, column \d+: broken JSON"),
        ("[]", "line 2: is no object; each line is an image"),
        ("{}", "line 2: has no 'gtboxes'"),
        ('{"gtboxes": []}', "line 2: has no 'ID'"),
        ('{"ID": 7, "gtboxes": []}', "line 2: 'ID' is 7 and not a text"),
        ('{"ID": "2", "gtboxes": {}}', "line 2: 'gtboxes' is {} and not a list"),
        (line(GOOD, "x"), "line 2, box 2: is no object"),
        (line({"fbox": [1, 2, 3, 4]}), "line 2, box 1: has no 'tag'"),
        (line({"tag": "person", "vbox": [1, 2, 3, 4]}), "line 2, box 1: has no 'fbox'"),
        (line({**GOOD, "fbox": "1 2 3 4"}), "line 2, box 1: 'fbox' is '1 2 3 4' and not a list"),
        (line({**GOOD, "extra": [1]}), "line 2, box 1: 'extra' is .* and not an object"),
        (line({**GOOD, "tag": "background"}), "line 2, box 1: tag 'background' means nothing here"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, second: Any, words: str) -> None:
    with pytest.raises(InputError, match=rf"train\.odgt: {words}") as error:
        crowd(tmp_path, [line(GOOD), second])
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "storage" / "datasets").glob("crowd-*"))


def test_text_that_is_none_and_images_that_are_not_there(tmp_path: Path) -> None:
    data = crowd(tmp_path, [line(GOOD)])
    (tmp_path / "train.odgt").write_bytes(b'\xef\xbb\xbf{"ID": "1,a", "gtboxes": []}\n{"ID": "\xff"}\n')
    spec = DatasetSpec.parse({**SPEC, "name": "crowd"}, "test")
    with pytest.raises(InputError, match="line 2: is not UTF-8 text"):
        prepare(spec, tmp_path / "storage", tmp_path)
    (tmp_path / "train.odgt").write_text(json.dumps(line(GOOD, name="gone")))
    with pytest.raises(InputError, match=r"none of its 1 images lies in .*Images; check the data root"):
        prepare(spec, tmp_path / "storage", tmp_path)
    (tmp_path / "train.odgt").write_text(json.dumps(line(box([1, 1, 9, 9], "mask"), name="1,a")))
    with pytest.raises(InputError, match="no usable object"):
        prepare(spec, tmp_path / "storage", tmp_path)
    (tmp_path / "train.odgt").unlink()
    with pytest.raises(InputError, match=r"has no train\.odgt"):
        prepare(spec, tmp_path / "storage", tmp_path)
    assert data.splits["train"].num_images == 1


REST = {"annotations": "val.odgt", "images": "Images"}
SPEC = {
    "kind": "crowdhuman",
    "name": "c",
    "train": {**REST, "annotations": "train.odgt"},
    "search": REST,
    "report": REST,
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ["person", "head"]}, "one class; leave 'classes' out"),
        ({"boxes": "head"}, "key 'boxes': input should be 'full' or 'visible'"),
        ({"kind": "coco", "boxes": "visible"}, "'boxes' is of crowdhuman datasets"),
        ({"train": {"image_sets": ["train"]}}, "split train of a crowdhuman dataset needs 'annotations'"),
    ],
)
def test_specs_that_cannot_work(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        DatasetSpec.parse({**SPEC, **changes}, "test")
    assert "\n" not in str(error.value)


def test_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CrowdHuman has boxes only"):
        crowd(tmp_path, [line(GOOD)], masks=True)
