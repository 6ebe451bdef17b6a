"""Folders of XML beside folders of images, as labelImg, Label Studio, Roboflow and CVAT write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from tests.unit.data.own import boxes, content, labels, picture, prepared, text

BOX = "<xmin>11</xmin><ymin>21</ymin><xmax>31</xmax><ymax>51</ymax>"


def xml(filename: str = "", box: str = BOX, name: str = "cat", more: str = "", size: Any = (160, 120)) -> str:
    head = f"<filename>{filename}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
    return f"<annotation>{head}<object><name>{name}</name><bndbox>{box}</bndbox>{more}</object></annotation>"


def folders(root: Path, images: list[str], files: dict[str, str]) -> None:
    for name in images:
        picture(root / name)
    for name, lines in files.items():
        text(root / name, lines)


APART = {"annotations": "xml", "images": "img"}


def test_all_in_one_folder(tmp_path: Path) -> None:
    folders(tmp_path, ["train/a.jpg", "train/b.png"], {"train/a.xml": xml("a.jpg"), "train/b.xml": xml("b.png")})
    for split in ({"annotations": "train"}, {"annotations": "train", "images": "train"}):
        data = prepared(tmp_path, split, kind="voc")
        assert boxes(data) == {"a.jpg": [[10, 20, 20, 30]], "b.png": [[10, 20, 20, 30]]}
        assert data.notes == ""
        assert (data.splits["train"].images / "a.jpg").is_file()


def test_the_root_itself(tmp_path: Path) -> None:
    folders(tmp_path, ["a.jpg"], {"a.xml": xml("a.jpg")})
    assert prepared(tmp_path, {"annotations": "."}, kind="voc").splits["train"].num_boxes == 1


@pytest.mark.parametrize(
    ("image", "file", "filename"),
    [
        ("a.JPEG", "a.xml", "a"),
        ("sub/a.jpg", "sub/a.XML", "a.jpg"),
        ("sub/a.jpg", "a.xml", "a.jpg"),
        ("other name.jpg", "1.xml", "other name.jpg"),
        ("other.jpg", "1.xml", "C:\\photos\\other.jpg"),
        ("other.jpg", "1.xml", "OTHER"),
        ("a.b.jpg", "a.b.xml", "stale.jpg"),
        ("a.jpg", "a.jpg.xml", "a.jpg"),
    ],
)
def test_the_image_of_a_file(tmp_path: Path, image: str, file: str, filename: str) -> None:
    folders(tmp_path, [f"img/{image}", "img/z.jpg"], {f"xml/{file}": xml(filename), "xml/z.xml": xml("z.jpg")})
    assert boxes(prepared(tmp_path, APART, kind="voc"))[image] == [[10, 20, 20, 30]]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    files = {"xml/a.xml": xml("a.jpg"), "xml/gone.xml": xml("gone.jpg"), "xml/pom.xml": "<project></project>"}
    folders(tmp_path, ["img/a.jpg", "img/not yet.jpg"], files)
    data = prepared(
        tmp_path, APART, kind="voc", search={**APART, "images": "img/."}, report={**APART, "images": "./img"}
    )
    assert data.notes == (
        "3 listed images without a file skipped, 3 XML files that are no annotations skipped, "
        "3 images without an annotation file left out"
    )


def test_two_files_of_one_image_add_up(tmp_path: Path) -> None:
    other = BOX.replace("11", "12")
    folders(tmp_path, ["img/a.jpg"], {"xml/a.xml": xml("a.jpg"), "xml/more.xml": xml("a.jpg", other)})
    data = prepared(tmp_path, APART, kind="voc")
    assert boxes(data) == {"a.jpg": [[10, 20, 20, 30], [11, 20, 19, 30]]}
    assert data.notes == "3 entries for an image that was listed already put together"


@pytest.mark.parametrize(
    ("images", "files", "split", "words"),
    [
        (["img/a.jpg"], {"xml/note.txt": "x"}, APART, "it has no XML file"),
        (["img/a.jpg"], {"xml/b.xml": xml("b.jpg")}, APART, "none of its 1 XML files has an image in .*img"),
        (["img/a.jpg"], {"xml/a.json": "{}"}, {**APART, "annotations": "xml/a.json"}, "needs 'kind: coco'"),
        (["img/a.jpg"], {"xml/a.xml": xml()}, {**APART, "annotations": "labels"}, "has no folder labels"),
        (["img/a.jpg", "img/a.png"], {"xml/a.xml": xml("b")}, APART, r"'a' may be 'a\.jpg' and 'a\.png'"),
        (["img/1/a.jpg", "img/2/a.jpg"], {"xml/a.xml": xml("a.jpg")}, APART, r"may be '1/a\.jpg' and '2/a\.jpg'"),
        (
            ["img/a.jpg"],
            {"xml/1/a.xml": xml("a.jpg"), "xml/2/a.xml": xml("a.jpg")},
            APART,
            r"'1/a\.xml' and '2/a\.xml' both lead to 'a\.jpg'",
        ),
        (
            ["img/a.jpg"],
            {"xml/a.xml": "<annotations><version>1.1</version><image/></annotations>"},
            APART,
            "is CVAT's own XML of many images; export",
        ),
        (
            ["img/a.jpg"],
            {"xml/a.xml": xml(more="<difficult>perhaps</difficult>")},
            APART,
            r"a\.xml: object 1: 'difficult' is 'perhaps', which is neither 0 nor 1",
        ),
        (
            ["img/a.jpg"],
            {"xml/a.xml": xml(name="?").encode().replace(b"?", b"\xb0\xe8")},
            APART,
            r"a\.xml: object 1: its class is no text",
        ),
    ],
)
def test_folders_that_are_refused(
    tmp_path: Path, images: list[str], files: dict[str, Any], split: dict[str, Any], words: str
) -> None:
    folders(tmp_path, images, files)
    with pytest.raises(InputError, match=words) as error:
        prepared(tmp_path, split, kind="voc")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("box", "more", "found", "notes"),
    [
        (
            "<xmin>31</xmin><ymin>51</ymin><xmax>11</xmax><ymax>21</ymax>",
            "",
            [10, 20, 20, 30],
            "3 boxes with corners the wrong way round put in order",
        ),
        ("<xmin>11,0</xmin><ymin>21.0</ymin><xmax> 31 </xmax><ymax>51</ymax>", "", [10, 20, 20, 30], ""),
        ("<ymax>51</ymax><xmax>31</xmax><ymin>21</ymin><xmin>11</xmin>", "", [10, 20, 20, 30], ""),
        (
            BOX,
            "<attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes>",
            [5, 25, 30, 20],
            "3 rotated boxes taken as the upright box around them",
        ),
        (BOX, "<attributes><attribute><name>rotation</name><value>0.0</value></attribute></attributes>", None, ""),
        (BOX, "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>", None, ""),
        (BOX, "<difficult>0</difficult>", None, ""),
        (BOX, "<difficult>Unspecified</difficult>", None, ""),
    ],
)
def test_boxes(tmp_path: Path, box: str, more: str, found: list[float] | None, notes: str) -> None:
    folders(tmp_path, ["img/a.jpg"], {"xml/a.xml": xml("a.jpg", box, more=more)})
    data = prepared(tmp_path, APART, kind="voc")
    assert boxes(data)["a.jpg"][0] == pytest.approx(found or [10, 20, 20, 30])
    assert content(data)["annotations"][0]["iscrowd"] == 0
    assert data.notes == notes


def test_a_turned_box_of_rolabelimg(tmp_path: Path) -> None:
    turned = "<robndbox><cx>21</cx><cy>36</cy><w>20</w><h>30</h><angle>1.5707963</angle></robndbox>"
    text_ = xml("a.jpg").replace(f"<bndbox>{BOX}</bndbox>", turned)
    folders(tmp_path, ["img/a.jpg"], {"xml/a.xml": text_})
    assert boxes(prepared(tmp_path, APART, kind="voc"))["a.jpg"][0] == pytest.approx([5, 25, 30, 20], abs=1e-4)


@pytest.mark.parametrize(
    ("polygon", "found"),
    [
        ("<x1>11</x1><y1>21</y1><x2>31</x2><y2>51</y2><x3>11</x3><y3>51</y3>", [[10, 20, 20, 30]]),
        ("<username>x</username><pt><x>11</x><y>21</y></pt><pt><x>31</x><y>51</y></pt>", [[10, 20, 20, 30]]),
    ],
)
def test_a_polygon_without_a_box_has_the_box_around_it(tmp_path: Path, polygon: str, found: list[Any]) -> None:
    bare = xml("a.jpg").replace(f"<bndbox>{BOX}</bndbox>", f"<polygon>{polygon}</polygon>")
    folders(tmp_path, ["img/a.jpg"], {"xml/a.xml": bare})
    data = prepared(tmp_path, APART, kind="voc")
    assert boxes(data)["a.jpg"] == found
    assert data.notes == "3 objects without a box given the box around their mask or polygon"


def test_two_boxes_under_one_name_are_two_objects(tmp_path: Path) -> None:
    second = "<bndbox><xmin>101</xmin><ymin>21</ymin><xmax>131</xmax><ymax>51</ymax></bndbox>"
    folders(tmp_path, ["img/a.jpg"], {"xml/a.xml": xml("a.jpg", more=second)})
    assert boxes(prepared(tmp_path, APART, kind="voc"))["a.jpg"] == [[10, 20, 20, 30], [100, 20, 30, 30]]


def test_a_degree_of_difficulty_is_said(tmp_path: Path) -> None:
    hard = xml("a.jpg", more="<difficult>2</difficult>").replace("</annotation>", xml("a.jpg")[12:])
    folders(tmp_path, ["img/a.jpg"], {"xml/a.xml": hard})
    assert "3 iscrowd, ignore or difficult that are not 0 or 1 read" in prepared(tmp_path, APART, kind="voc").notes


@pytest.mark.parametrize("size", [("160.0", "120.0"), ("", ""), ("0", "0"), ("160", "")])
def test_sizes(tmp_path: Path, size: Any) -> None:
    folders(tmp_path, ["img/a.jpg"], {"xml/a.xml": xml("a.jpg", size=size)})
    image = content(prepared(tmp_path, APART, kind="voc"))["images"][0]
    assert (image["width"], image["height"]) == (160, 120)


@pytest.mark.parametrize(
    "line",
    [
        *("a", "a.jpg", "a.xml", "A", "a.JPG", "a 1", "a  -1", "JPEGImages/a.jpg", "./JPEGImages/a.jpg"),
        *("/home/x/VOC/JPEGImages/a.jpg", "JPEGImages\\a.jpg", "JPEGImages/a.jpg Annotations/a.xml"),
    ],
)
def test_lines_of_lists(tmp_path: Path, line: str) -> None:
    folders(
        tmp_path, ["JPEGImages/a.jpg", "JPEGImages/b.jpg"], {"Annotations/a.xml": xml(), "Annotations/b.xml": xml()}
    )
    text(tmp_path / "ImageSets/Main/all.txt", f"{line}\r\n")
    data = prepared(tmp_path, {"image_sets": ["all"]}, kind="voc")
    assert boxes(data) == {"JPEGImages/a.jpg": [[10, 20, 20, 30]]}


def test_a_class_that_only_the_cut_has_stays_one(tmp_path: Path) -> None:
    files = {f"xml/{n}.xml": xml(f"{n}.jpg", name="dog" if n == 3 else "cat") for n in range(8)}
    folders(tmp_path, [f"img/{n}.jpg" for n in range(8)], files)
    seen = set()
    for seed in range(12):
        cut = {"search": {"cut": 3}, "report": {"cut": 3}, "cut_seed": seed}
        data = prepared(tmp_path, APART, kind="voc", **cut)
        assert data.classes == ("cat", "dog")
        where = next(s for s in ("train", "search", "report") if any("dog" in v for v in labels(data, s).values()))
        seen.add(where)
        assert all(f"{s} has no object of dog" in data.notes for s in {"train", "search", "report"} - {where})
    assert len(seen) > 1
