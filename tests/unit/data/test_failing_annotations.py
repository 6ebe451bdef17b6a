"""Annotation files that once failed, or were learnt wrongly without a word (`tests/data/failing`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kdbench.data import Prepared, prepare
from kdbench.data.cleaning import to_coco
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec

FAILING = Path(__file__).parents[2] / "data" / "failing"


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((120, 160, 3), 90, np.uint8))


def case(name: str, tmp_path: Path, images: list[str]) -> Path:
    """The folder of a case, with images drawn where the case has them."""
    root = tmp_path / name
    for file in (FAILING / name).rglob("*"):
        if file.is_file():
            place = root / file.relative_to(FAILING / name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
    for image in images:
        picture(root / image)
    return root


def prepared(root: Path, train: dict[str, Any], **more: Any) -> Prepared:
    values = {"kind": "coco", "name": "own", "train": train, "search": {"cut": 2}, "report": {"cut": 2}, **more}
    return prepare(DatasetSpec.parse(values, "test"), root / "storage", root)


def boxes(data: Prepared) -> int:
    return sum(split.num_boxes for split in data.splits.values())


def crowd(data: Prepared) -> int:
    return sum(
        item["iscrowd"]
        for split in data.splits.values()
        for item in json.loads(split.annotations.read_text())["annotations"]
    )


COCO = {"annotations": "train.json", "images": "images"}
EIGHT = [f"images/im{number:03d}.jpg" for number in range(8)]
SIXTEEN = [f"images/im{number:03d}.jpg" for number in range(16)]


@pytest.mark.parametrize(
    ("name", "images", "kept", "notes"),
    [
        ("02-same-file-name-two-ids", EIGHT, 16, "8 entries for an image that was listed already put together"),
        ("07-iscrowd-string-0", EIGHT, 16, "8 iscrowd, ignore or difficult that are not 0 or 1 read"),
        ("08-image-id-string-and-int", EIGHT, 16, "16 boxes whose ids were text here and a number there matched"),
        (
            "09-backslash-file-names",
            [f"images/{'a/' if number < 8 else ''}im{number:03d}.jpg" for number in range(16)],
            32,
            "8 images found under another name than the listed",
        ),
        ("10-bom", EIGHT, 16, ""),
    ],
)
def test_coco_files_that_are_read(tmp_path: Path, name: str, images: list[str], kept: int, notes: str) -> None:
    data = prepared(case(name, tmp_path, images), COCO)
    assert (boxes(data), crowd(data), data.notes) == (kept, 0, notes)
    assert [split.num_images for split in data.splits.values()] == [len(images) - 4, 2, 2]


@pytest.mark.parametrize(
    ("name", "images", "more", "words"),
    [
        ("03-same-image-id-two-files", SIXTEEN, {}, r"image id 0 stands for 'im000\.jpg' and 'im001\.jpg'"),
        (
            "11-no-usable-object-says-nothing",
            EIGHT,
            {"classes": ["cat", "dog"]},
            r"8 boxes: 8 of classes that the task does not have; the annotations have the classes ' cat' \(4\), 'dog ' \(4\)",
        ),
        ("12-masks-true-without-masks", EIGHT, {"masks": True}, r"has boxes but no masks .*set 'masks: false'"),
    ],
)
def test_coco_files_that_are_refused(
    tmp_path: Path, name: str, images: list[str], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as error:
        prepared(case(name, tmp_path, images), COCO, **more)
    assert "\n" not in str(error.value)


def test_labelimg_folders(tmp_path: Path) -> None:
    root = case("20-voc-no-imagesets-labelimg", tmp_path, EIGHT)
    with pytest.raises(InputError, match=r"annotations: annotations, images: images"):
        prepared(root, {"image_sets": ["train"]}, kind="voc")
    data = prepared(root, {"annotations": "annotations", "images": "images"}, kind="voc")
    assert (boxes(data), data.notes, data.classes) == (16, "", ("cat", "dog"))


def test_xml_in_gb2312(tmp_path: Path) -> None:
    root = case("21-voc-gb2312", tmp_path, [f"JPEGImages/im{number:03d}.jpg" for number in range(8)])
    data = prepared(root, {"image_sets": ["train"]}, kind="voc")
    assert (boxes(data), data.classes) == (16, ("狗", "猫"))


def test_voc_images_of_any_suffix(tmp_path: Path) -> None:
    suffixes = (".bmp", ".JPEG", ".PNG", ".webp", ".tif", ".Jpg")
    names = [f"JPEGImages/im{number:03d}{suffixes[number % 6]}" for number in range(12)]
    data = prepared(case("22-voc-bmp-and-upper-case", tmp_path, names), {"image_sets": ["train"]}, kind="voc")
    assert (boxes(data), data.notes) == (24, "")


def test_brackets_without_end(tmp_path: Path) -> None:
    """shared/failing/51: deep.json as annotations."""
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(InputError, match=r"deep\.json: is nested too deep"):
        prepared(tmp_path, {"annotations": "deep.json", "images": "."})


@pytest.mark.parametrize("file", ["absolute.json", "up.json"])
def test_images_outside_of_the_folder(tmp_path: Path, file: str) -> None:
    root = case("53-image-outside-the-folder", tmp_path, ["images/a.jpg"])
    there = tmp_path / "hostname"
    there.write_text("here")
    # The name of the case leads to a file that another machine need not have.
    content = json.loads((root / file).read_text())
    for image in content["images"]:
        up = "../" * len(root.parts)
        image["file_name"] = str(there) if file == "absolute.json" else f"{up}{there.relative_to('/')}"
    (root / file).write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"image 1: '.*hostname' lies outside of the image folder .*images") as error:
        prepared(root, {"annotations": file, "images": "images"})
    assert "\n" not in str(error.value)


def test_every_problem_is_listed(tmp_path: Path) -> None:
    from collections import Counter

    from kdbench.data import coco

    root = case("02-same-file-name-two-ids", tmp_path, EIGHT)
    content = json.loads((root / "train.json").read_text())
    content["annotations"][3]["bbox"] = [150, 100, 30, 40]
    content["images"].append({"id": 99, "file_name": "gone.jpg", "width": 160, "height": 120})
    (root / "train.json").write_text(json.dumps(content))
    spec = DatasetSpec.parse(
        {"kind": "coco", "name": "own", **dict.fromkeys(("train", "search", "report"), COCO)}, "test"
    )
    raw = coco.read(spec, spec.train, root)
    to_coco(raw, raw.names, False, Counter())
    assert len(raw.problems) == sum(raw.dirt.values()) == 10
    assert ("gone.jpg", "", "no such file in images/: skipped") in raw.problems
    assert ("im001.jpg", "4 (150 100 180 140)", "clipped to 160 x 120") in raw.problems
