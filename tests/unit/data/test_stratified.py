"""Cuts: seeded, stratified over classes where that is asked for, never the whole of a small set."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from kdbench.data.raw import Box, Image, RawSplit
from kdbench.data.splits import cut
from kdbench.data.stratified import by_classes
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec


def box(name: str, crowd: bool = False) -> Box:
    return Box((0, 0, 9, 9), name, crowd)


def images(rows: dict[str, int]) -> dict[str, list[Box]]:
    """So many images of each kind; a kind is its classes, one a letter, `-` for none."""
    return {f"{kind}{n:04d}": [box(c) for c in kind if c != "-"] for kind, times in rows.items() for n in range(times)}


def counts(files: set[str]) -> Counter[str]:
    return Counter(letter for file in files for letter in file.rstrip("0123456789"))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_every_class_has_its_share(share: float, seed: int) -> None:
    found = images({"a": 400, "ab": 100, "c": 60, "bc": 40, "-": 200})
    number = round(share * len(found))
    drawn = by_classes(found, number, random.Random(seed))
    assert len(drawn) == number
    for label, times in counts(set(found)).items():
        assert counts(drawn)[label] == pytest.approx(share * times, abs=2)


@pytest.mark.parametrize("seed", range(10))
def test_rare_classes_are_on_both_sides(seed: int) -> None:
    found = images({"a": 40, "b": 3, "c": 2, "d": 1})
    drawn = by_classes(found, 6, random.Random(seed))
    assert len(drawn) == 6
    assert (counts(drawn)["b"], counts(drawn)["c"], counts(drawn)["d"]) == (1, 1, 0)


def test_the_draw_is_seeded_and_does_not_know_the_order() -> None:
    found = images({"a": 30, "ab": 10, "-": 5})
    other = dict(reversed(found.items()))
    assert by_classes(found, 9, random.Random(3)) == by_classes(other, 9, random.Random(3))
    assert by_classes(found, 9, random.Random(3)) != by_classes(found, 9, random.Random(4))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_images(count: int) -> None:
    assert len(by_classes(images({"abcd": 2, "e": 1, "-": 1}), count, random.Random(0))) == count


def split(number: int) -> RawSplit:
    from pathlib import Path

    return RawSplit(Path(), [Image(f"{n}.jpg", 9, 9, [box("cat")]) for n in range(number)])


def spec(share: float, **more: object) -> DatasetSpec:
    train = {"annotations": "a.json"}
    values = {"kind": "coco", "name": "own", "train": train, "search": {"cut": share}, "report": {"cut": share}, **more}
    return DatasetSpec.parse(values, "test")


@pytest.mark.parametrize("cut_by", ["random", "classes"])
@pytest.mark.parametrize(
    ("number", "share", "taken"), [(3, 0.1, 1), (2, 0.5, 1), (2, 0.9, 1), (3, 0.99, 2), (10, 3, 3)]
)
def test_a_share_of_few_images_takes_some_and_leaves_some(number: int, share: float, taken: int, cut_by: str) -> None:
    train = split(number)
    assert len(cut(spec(share, cut_by=cut_by), "search", train).images) == taken
    assert len(train.images) == number - taken


@pytest.mark.parametrize(
    ("number", "share", "words"), [(1, 0.5, "it needs 2 at least"), (0, 0.5, "out of 0"), (5, 5, "cuts 5 of 5")]
)
def test_cuts_that_cannot_be(number: int, share: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        cut(spec(share), "search", split(number))


def test_specs_of_before_keep_their_identity() -> None:
    plain = spec(2).plain()
    assert "cut_by" not in plain
    assert "labels" not in plain["train"]
    assert spec(2, cut_by="classes").plain()["cut_by"] == "classes"
    assert DatasetSpec.parse(spec(2, cut_by="classes").plain(), "test") == spec(2, cut_by="classes")
