"""Files found by the names that tools on other machines gave them, and never a wrong one."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from kdbench.data.reading.finding import Files, Found, NotFound, may_be_one


def files(tmp_path: Path, *names: str) -> Files:
    for name in names:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Files(tmp_path / "images")


@pytest.mark.parametrize(
    "name",
    [
        "a/im 1.jpg",
        "./a/im 1.jpg",
        "b/../a/im 1.jpg",
        "a\\im 1.jpg",
        "a/im%201.jpg",
        "images/a/im 1.jpg",
        "set/images/a/im 1.jpg",
        "/home/other/set/a/im 1.jpg",
        "C:\\Users\\other\\a\\im 1.jpg",
        "\\\\server\\share\\a\\im 1.jpg",
        "file:///home/other/a/im%201.jpg",
        "https://host/a/im%201.jpg?X-Amz-Expires=1",
        "/data/local-files/?d=a/im%201.jpg",
        "a/im 1.JPG",
        "A/IM 1.jpg",
        "a/im 1",
        "im 1.jpg",
    ],
)
def test_one_file_by_many_names(tmp_path: Path, name: str) -> None:
    found = files(tmp_path, "a/im 1.jpg", "b/im2.jpg", "im3.jpg").find(name)
    assert found is not None
    assert found.file == "a/im 1.jpg"
    assert bool(found.mended) == (name not in ("a/im 1.jpg", "./a/im 1.jpg", "b/../a/im 1.jpg"))


@pytest.mark.parametrize(
    "name", ["", "gone.jpg", "b/im 1.jpg", "a/im 1.png", "m 1.jpg", "a/im 1.jpg/x", "x\0.jpg", "."]
)
def test_another_file_is_never_taken(tmp_path: Path, name: str) -> None:
    assert files(tmp_path, "a/im 1.jpg").find(name) is None


def test_a_file_with_a_backslash_in_its_name(tmp_path: Path) -> None:
    found = files(tmp_path, "a\\b.jpg", "a/b.jpg").find("a\\b.jpg")
    assert found is not None
    assert (found.file, found.mended) == ("a\\b.jpg", "")


def test_accents_are_one_letter_or_two(tmp_path: Path) -> None:
    found = files(tmp_path, unicodedata.normalize("NFD", "café.jpg")).find(unicodedata.normalize("NFC", "café.jpg"))
    assert found is not None


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (("a/im.jpg", "b/im.jpg"), "im.jpg"),
        (("im.jpg", "im.png"), "im"),
        (("im.jpg", "IM.jpg"), "Im.jpg"),
        (("im.jpg", "old/pictures/im.jpg"), "pictures/im.jpg"),
    ],
)
def test_names_of_two_files_are_refused_with_both(tmp_path: Path, names: tuple[str, str], name: str) -> None:
    one, two = sorted(names)
    with pytest.raises(NotFound, match=f"'{one}' and '{two}'"):
        files(tmp_path, *names).find(name)


@pytest.mark.parametrize(
    ("names", "name", "file"),
    [
        (("im.jpg", "a/im.jpg"), "/data/set/a/im.jpg", "a/im.jpg"),
        (("im.jpg", "a/im.jpg"), "im.jpg", "im.jpg"),
        (("im.jpg", "a/im.jpg"), "im", "im.jpg"),
        (("im.jpg", "IM.JPG"), "/x/IM.JPG", "IM.JPG"),
        (("im.jpg", "old/images/im.jpg"), "images/im.jpg", "im.jpg"),
    ],
)
def test_the_nearer_of_two(tmp_path: Path, names: tuple[str, ...], name: str, file: str) -> None:
    found = files(tmp_path, *names).find(name)
    assert found is not None
    assert found.file == file


def test_what_lies_outside_is_refused(tmp_path: Path) -> None:
    found = files(tmp_path, "a.jpg", "val/x.jpg")
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "a.jpg").touch()
    # a.jpg of the image folder is another picture than val/a.jpg beside it.
    for name in ("../val/a.jpg", "..\\val\\a.jpg", str(tmp_path / "val" / "a.jpg"), "val/a.jpg", "val\\a.jpg"):
        with pytest.raises(NotFound, match="lies outside of the image folder"):
            found.find(name)
    # Of another machine, where nothing lies here.
    upload = found.find("../../upload/1/x.jpg")
    assert upload is None
    assert found.find("../../upload/val/x.jpg") == Found("val/x.jpg", "found by its tail")
    inside = found.find(str(tmp_path / "images" / "val" / "x.jpg"))
    assert inside is not None
    assert inside.file == "val/x.jpg"


@pytest.mark.parametrize(
    ("one", "two", "found"),
    [
        ("train/a.jpg", "val/a.jpg", False),
        ("a.jpg", "val/a.jpg", True),
        ("a", "val\\A.JPG", True),
        ("/x/set/val/a%201.jpg", "val/a 1.jpg", True),
        ("a.jpg", "b.jpg", False),
    ],
)
def test_two_names_of_one_file(one: str, two: str, found: bool) -> None:
    assert may_be_one(one, two) is may_be_one(two, one) is found


def test_names_relative_to_the_annotation_file(tmp_path: Path) -> None:
    files(tmp_path, "a.jpg")
    found = Files(tmp_path / "images", beside=tmp_path / "annotations").find("../images/a.jpg")
    assert found is not None
    assert found.file == "a.jpg"


def test_by_stem(tmp_path: Path) -> None:
    found = files(tmp_path, "a.bmp", "img.v2.JPEG", "b.jpg", "b.png", "note.txt")
    assert [f.file for name in ("a", "img.v2", "a.bmp", "a.BMP") if (f := found.of_stem(name))] == [
        "a.bmp",
        "img.v2.JPEG",
        "a.bmp",
        "a.bmp",
    ]
    assert found.of_stem("note") is None
    with pytest.raises(NotFound, match=r"'b\.jpg' and 'b\.png'"):
        found.of_stem("b")
    preferred = found.of_stem("b", "C:\\x\\b.png")
    assert preferred is not None
    assert preferred.file == "b.png"


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    found = files(tmp_path, "a/im.jpg")
    os.symlink(tmp_path / "images", tmp_path / "images" / "a" / "again")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "b.jpg").touch()
    os.symlink(tmp_path / "far", tmp_path / "images" / "linked")
    assert found.all() == ["a/im.jpg", "linked/b.jpg"]


def test_links_to_nothing_and_pipes_are_no_files(tmp_path: Path) -> None:
    found = files(tmp_path, "a.jpg")
    os.symlink(tmp_path / "gone.jpg", tmp_path / "images" / "b.jpg")
    os.mkfifo(tmp_path / "images" / "c.jpg")
    assert found.all() == ["a.jpg"]
    assert found.find("b.jpg") is None
    assert found.find("x/c.jpg") is None


def test_many_names_cost_one_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = files(tmp_path, *(f"{number}.jpg" for number in range(50)))
    calls: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: calls.append(path) or scan(path))
    monkeypatch.setattr(Path, "is_file", lambda self: pytest.fail("asks for a single file"))
    for number in range(100):
        found.find(f"{number}.jpg")
        found.find(f"x\\{number}.JPG")
    # The folder, the folder that the names speak of, and one walk.
    assert len(calls) <= 3
