"""VOC folders as people write them; coordinates as mmdet reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kdbench.data import Prepared, prepare
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec

BCCD = Path(__file__).parents[4] / "shared" / "data" / "BCCD"


def xml(width: Any = 60, xmin: Any = 2) -> str:
    sides = f"<xmin>{xmin}</xmin><ymin>2</ymin><xmax>12</xmax><ymax>14</ymax>"
    size = f"<size><width>{width}</width><height>40</height></size>"
    return f"<annotation>{size}<object><name>cat</name><bndbox>{sides}</bndbox></object></annotation>"


def voc(tmp_path: Path, files: dict[str, str], listed: bytes, lists: str = "", **more: Any) -> Prepared:
    """The prepared folder; `lists` is the sub-folder that the VOC folders lie in."""
    root = tmp_path / "data"
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / lists / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        cv2.imwrite(str(root / lists / "JPEGImages" / f"{name}.jpg"), np.zeros((40, 60, 3), np.uint8))
        (root / lists / "Annotations" / f"{name}.xml").write_text(text)
    (root / lists / "ImageSets" / "Main" / "all.txt").write_bytes(listed)
    split = {"image_sets": [f"{lists}/all".lstrip("/")]}
    values = {"kind": "voc", "name": "mine", "train": split, "search": split, "report": split, **more}
    return prepare(DatasetSpec.parse(values, "test"), tmp_path, root)


def content(data: Prepared) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(data.splits["train"].annotations.read_text())
    return result


def test_one_is_taken_from_each_side(tmp_path: Path) -> None:
    assert content(voc(tmp_path, {"a": xml()}, b"a\n"))["annotations"][0]["bbox"] == [1, 1, 10, 12]


def test_several_folders_under_one_root(tmp_path: Path) -> None:
    data = voc(tmp_path, {"a": xml()}, b"a\n", lists="VOC2007")
    assert content(data)["images"][0]["file_name"] == "VOC2007/JPEGImages/a.jpg"
    assert (data.splits["train"].images / "VOC2007/JPEGImages/a.jpg").is_file()


@pytest.mark.parametrize("listed", [b"my img\n", b"my img", b"\xef\xbb\xbfmy img\r\n", b"my img\n\xe9t\xe9\n"])
def test_names_may_have_spaces_and_lists_any_encoding(tmp_path: Path, listed: bytes) -> None:
    data = voc(tmp_path, {"my img": xml()}, listed)
    assert data.splits["train"].num_images == 1
    assert data.notes == ("3 listed images without a file skipped" if b"\xe9" in listed else "")


def test_the_lists_of_one_class_have_a_flag(tmp_path: Path) -> None:
    assert voc(tmp_path, {"a": xml(), "b": xml()}, b"a  1\nb -1\n").splits["train"].num_images == 2


@pytest.mark.parametrize("width", [0, "nan", "", "wide"])
def test_a_size_that_is_none_is_read_from_the_image(tmp_path: Path, width: Any) -> None:
    image = content(voc(tmp_path, {"a": xml(width=width)}, b"a\n"))["images"][0]
    assert (image["width"], image["height"]) == (60, 40)


@pytest.mark.parametrize("side", ["nan", "abc", ""])
def test_a_side_that_is_no_number_drops_the_box(tmp_path: Path, side: str) -> None:
    data = voc(tmp_path, {"a": xml(), "b": xml(xmin=side)}, b"a\nb\n")
    assert data.notes == "3 boxes without area dropped, 3 images without objects kept"


def test_wrong_input_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"all\.txt: none of its 1 images has a file") as error:
        voc(tmp_path / "one", {"a": xml()}, b"other\n")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="VOC has boxes only"):
        voc(tmp_path / "two", {"a": xml()}, b"a\n", masks=True)


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"needs the BCCD images in {BCCD}")
def test_bccd_boxes_are_those_of_mmdet(tmp_path: Path) -> None:
    from kdbench import ops

    ops.install()
    from mmdet.datasets import CocoDataset, XMLDataset

    names = ("RBC", "WBC", "Platelets")
    spec = {"kind": "voc", "name": "bccd", "classes": names}
    spec |= {s: {"image_sets": [t]} for s, t in (("train", "train"), ("search", "val"), ("report", "test"))}
    files = prepare(DatasetSpec.parse(spec, "test"), tmp_path, BCCD).splits["report"]
    stock = {"pipeline": [], "classes": names, "test_mode": True}
    theirs = XMLDataset(ann_file=str(BCCD / "ImageSets/Main/test.txt"), img_prefix=str(BCCD), **stock)
    ours = CocoDataset(ann_file=str(files.annotations), img_prefix=str(files.images), **stock)
    assert len(ours) == len(theirs) == 72
    for index in range(72):
        one, two = ours.get_ann_info(index), theirs.get_ann_info(index)
        assert ours.data_infos[index]["filename"] == theirs.data_infos[index]["filename"]
        # Their list still has what cleaning drops: boxes without area.
        real = (two["bboxes"][:, 2:] > two["bboxes"][:, :2]).all(1)
        np.testing.assert_array_equal(one["bboxes"], two["bboxes"][real])
        np.testing.assert_array_equal(one["labels"], two["labels"][real])
