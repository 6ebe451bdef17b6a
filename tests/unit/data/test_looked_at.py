"""Preparation looks at every image once: what is wrong is left out or mended, named, and known again."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from kdbench.data import Prepared, findings, prepare
from kdbench.data.folder import read_by_kdbench
from kdbench.errors import InputError
from tests.unit.data.pictures import coco, cut, save


def entries(data: Prepared, split: str = "train") -> dict[str, dict[str, Any]]:
    content = json.loads(data.splits[split].annotations.read_text())
    return {entry["file_name"]: entry for entry in content["images"]}


def table(data: Prepared) -> list[tuple[str, ...]]:
    with open(data.folder / "problems.csv", encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def test_nothing_is_wrong_with_ordinary_images(tmp_path: Path) -> None:
    spec = coco(tmp_path / "data")
    data = prepare(spec, tmp_path / "home", tmp_path / "data", 0.0)
    assert (data.notes, data.lines, data.shared, data.unturned) == ("", (), {}, False)
    assert (data.looked, data.unreadable) == (9, 0)
    assert entries(data)["im0.jpg"] == {"id": 1, "file_name": "im0.jpg", "width": 96, "height": 64}
    assert table(data) == []


def test_a_jpeg_that_ends_early_is_used_and_told(tmp_path: Path) -> None:
    """shared/failing/01: the teacher was trained to its end before the image was looked at."""
    spec = coco(tmp_path / "data")
    cut(tmp_path / "data" / "images" / "im3.jpg")
    data = prepare(spec, tmp_path / "home", tmp_path / "data", 0.0)
    assert data.notes == "1 images that end early used as far as they go"
    assert data.lines == (f"{data.notes} (each in {data.folder / 'problems.csv'})",)
    assert entries(data)["im3.jpg"]["load"] == {"cut": True}
    assert table(data) == [("train", "im3.jpg", "", "ends early: used as far as it goes")]
    assert read_by_kdbench(data, "train") == ["im3.jpg"]
    assert read_by_kdbench(data, "search") == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<html></html>", "is an HTML page"),
        (b"version https://git-lfs.git", "is a Git LFS pointer"),
    ],
)
def test_what_cannot_be_read_is_left_out_up_to_a_share(tmp_path: Path, content: bytes, words: str) -> None:
    spec = coco(tmp_path / "data")
    (tmp_path / "data" / "images" / "im3.jpg").write_bytes(content)
    with pytest.raises(InputError, match=f"1 of 9 images cannot be read: im3.jpg {words}.*--max-bad 12%") as error:
        prepare(spec, tmp_path / "home", tmp_path / "data", 0.01)
    assert "\n" not in str(error.value)
    data = prepare(spec, tmp_path / "home", tmp_path / "data", 0.12)
    assert data.notes == "1 images that cannot be read left out"
    assert list(entries(data)) == ["im0.jpg", "im6.jpg"]
    assert table(data)[0][:2] == ("train", "im3.jpg")
    assert words in table(data)[0][-1]
    # What was accepted once is not refused when the study goes on.
    assert prepare(spec, tmp_path / "home", tmp_path / "data") == data


def test_a_file_that_is_listed_twice_has_its_fault_once(tmp_path: Path) -> None:
    spec = coco(tmp_path / "data")
    cut(tmp_path / "data" / "images" / "im3.jpg")
    file = tmp_path / "data" / "train.json"
    file.write_text(file.read_text().replace("im6.jpg", "im3.jpg"))
    notes = prepare(spec, tmp_path / "home", tmp_path / "data").notes
    assert notes.startswith("1 images that end early used as far as they go")


def test_the_first_five_are_named(tmp_path: Path) -> None:
    spec = coco(tmp_path / "data", count=21)
    for number in range(0, 21, 3):
        (tmp_path / "data" / "images" / f"im{number}.jpg").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"split train: none of its 7 images can be read: im0.jpg is empty; im3.*and 2 more"
    ):
        prepare(spec, tmp_path / "home", tmp_path / "data", 1.0)


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname"])
def test_a_file_outside_that_is_no_image(tmp_path: Path, name: str) -> None:
    """shared/failing/53: what lies outside is no part of the data, whatever it is."""
    (tmp_path / "secret").write_text("machine\n")
    spec = coco(tmp_path / "data")
    file = tmp_path / "data" / "train.json"
    file.write_text(file.read_text().replace("im3.jpg", name))
    with pytest.raises(InputError, match=rf"{name}' lies outside of the image folder"):
        prepare(spec, tmp_path / "home", tmp_path / "data", 0.01)


def test_swapped_sizes(tmp_path: Path) -> None:
    """shared/failing/04: boxes were cut at the wrong border."""
    data = prepare(coco(tmp_path / "data", size=(64, 96)), tmp_path / "home", tmp_path / "data", 0.0)
    assert data.notes == "9 images whose annotated width and height are swapped, used as displayed"
    assert (entries(data)["im0.jpg"]["width"], entries(data)["im0.jpg"]["height"]) == (96, 64)
    assert table(data)[0][-1].endswith("used as displayed (annotated 64x96, the file has 96x64)")


def test_boxes_of_pixels_as_they_lie(tmp_path: Path) -> None:
    """shared/failing/06: images were turned, and their boxes were not."""
    for number in range(9):
        save(tmp_path / "data" / "images" / f"im{number}.jpg", number, orientation=6)
    data = prepare(coco(tmp_path / "data"), tmp_path / "home", tmp_path / "data", 0.0)
    assert data.notes == "9 images with boxes that fit before EXIF data turns them, used unturned"
    assert data.unturned
    assert (entries(data)["im0.jpg"]["width"], entries(data)["im0.jpg"]["load"]) == (96, {"stored": True})
    # mmdet itself can leave EXIF data alone, so an export needs nothing of kdbench.
    assert read_by_kdbench(data, "report") == []


def test_images_of_both_ways(tmp_path: Path) -> None:
    save(tmp_path / "data" / "images" / "im0.jpg", 0, orientation=6)
    save(tmp_path / "data" / "images" / "im3.jpg", 3, orientation=6, width=64, height=96)
    data = prepare(coco(tmp_path / "data"), tmp_path / "home", tmp_path / "data", 0.0)
    assert not data.unturned
    assert read_by_kdbench(data, "train") == ["im0.jpg"]
    assert "load" not in entries(data)["im3.jpg"]


def test_another_scale_in_a_dataset(tmp_path: Path) -> None:
    data = prepare(coco(tmp_path / "data", size=(192, 128)), tmp_path / "home", tmp_path / "data", 0.0)
    boxes = json.loads(data.splits["train"].annotations.read_text())["annotations"]
    assert boxes[0]["bbox"] == [2, 4, 20, 10]
    assert boxes[0]["area"] == 200


def test_every_dirty_box_is_named(tmp_path: Path) -> None:
    spec = coco(tmp_path / "data")
    file = tmp_path / "data" / "train.json"
    file.write_text(file.read_text().replace("[4, 8, 40, 20]", "[80, 8, 40, 20]", 1))
    data = prepare(spec, tmp_path / "home", tmp_path / "data")
    assert table(data) == [("train", "im0.jpg", "0 (80 8 120 28)", "clipped to 96 x 64")]


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are decoded from now on."""
    names: list[str] = []
    real = findings.find

    def counting(file: Path) -> Any:
        names.append(file.name)
        return real(file)

    monkeypatch.setattr(findings, "find", counting)
    return names


def test_each_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = coco(tmp_path / "data")
    names = opened(monkeypatch)
    prepare(spec, tmp_path / "home", tmp_path / "data")
    assert sorted(names) == sorted(f"im{number}.jpg" for number in range(9))
    names.clear()
    # Other annotations and other splits of the same files.
    file = tmp_path / "data" / "train.json"
    file.write_text(file.read_text().replace("[4, 8, 40, 20]", "[4, 8, 40, 21]"))
    prepare(spec, tmp_path / "home", tmp_path / "data")
    swapped = spec.model_copy(update={"search": spec.report, "report": spec.search})
    prepare(swapped, tmp_path / "home", tmp_path / "data")
    assert names == []
    save(tmp_path / "data" / "images" / "im4.jpg", 40)
    prepare(spec, tmp_path / "home", tmp_path / "data")
    assert names == ["im4.jpg"]


@pytest.mark.parametrize("content", ["", '{"version": 0, "images": {}}', '{"version": 1, "images": []}', "[1]"])
def test_a_store_of_findings_that_is_broken_is_made_again(tmp_path: Path, content: str) -> None:
    spec = coco(tmp_path / "data")
    first = prepare(spec, tmp_path / "home", tmp_path / "data")
    store = next((tmp_path / "home" / "datasets").glob(".images-*.json"))
    store.write_text(content)
    shutil.rmtree(first.folder)
    assert prepare(spec, tmp_path / "home", tmp_path / "data") == first


def test_large_sets_are_judged_by_header_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = coco(tmp_path / "data", count=12)
    images = tmp_path / "data" / "images"
    cut(images / "im3.jpg")
    (images / "im6.jpg").write_bytes(b"<html>")
    save(images / "im9.jpg", 9, orientation=3)
    names = opened(monkeypatch)
    monkeypatch.setattr(findings, "MANY", 1)
    data = prepare(spec, tmp_path / "home", tmp_path / "data")
    assert sorted(names) == ["im3.jpg", "im6.jpg", "im9.jpg"]
    assert [data.unreadable, *entries(data)] == [1, "im0.jpg", "im3.jpg", "im9.jpg"]


def test_prepared_data_knows_which_images_were_there(tmp_path: Path) -> None:
    """shared/failing/16: images that came later were never used."""
    spec = coco(tmp_path / "data")
    images, away = tmp_path / "data" / "images", tmp_path / "away"
    away.mkdir()
    for number in (3, 4, 6):
        (images / f"im{number}.jpg").rename(away / f"im{number}.jpg")
    half = prepare(spec, tmp_path / "home", tmp_path / "data")
    assert "3 listed images without a file skipped" in half.notes
    for file in away.iterdir():
        file.rename(images / file.name)
    whole = prepare(spec, tmp_path / "home", tmp_path / "data")
    assert whole.notes == ""
    assert [split.num_images for split in whole.splits.values()] == [3, 3, 3]
    # And they may go again, or become others.
    (images / "im3.jpg").unlink()
    assert prepare(spec, tmp_path / "home", tmp_path / "data").splits["train"].num_images == 2
    save(images / "im3.jpg", 3, width=60, height=60)
    assert "1 images of another size" in prepare(spec, tmp_path / "home", tmp_path / "data").notes


def test_the_content_is_of_annotations_alone(tmp_path: Path) -> None:
    spec = coco(tmp_path / "data")
    first = prepare(spec, tmp_path / "home", tmp_path / "data")
    os.utime(tmp_path / "data" / "images" / "im3.jpg", (1, 1))
    touched = prepare(spec, tmp_path / "home", tmp_path / "data")
    assert touched.hash != first.hash
    assert touched.content == first.content


def test_splits_that_share_images_are_told(tmp_path: Path) -> None:
    """shared/failing/14: the same file as train, search and report; and a copy under another name."""
    spec = coco(tmp_path / "data")
    same = spec.model_copy(update={"search": spec.train, "report": spec.train})
    data = prepare(same, tmp_path / "home", tmp_path / "data")
    assert data.shared == {"search": 3, "report": 3}
    assert len(data.lines) == 1
    assert "3 of 3 images of the search split and 3 of 3 images of the report split are in an earlier" in data.lines[0]
    shutil.copyfile(tmp_path / "data" / "images" / "im0.jpg", tmp_path / "data" / "images" / "im2.jpg")
    assert prepare(spec, tmp_path / "home", tmp_path / "data").shared == {"report": 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_may_be_later(tmp_path: Path) -> None:
    spec = coco(tmp_path / "data")
    file = tmp_path / "data" / "images" / "im3.jpg"
    file.chmod(0)
    assert (
        "cannot be opened (Permission denied)" in prepare(spec, tmp_path / "home", tmp_path / "data").first_unreadable
    )
    file.chmod(0o644)
    assert prepare(spec, tmp_path / "home", tmp_path / "data").unreadable == 0
