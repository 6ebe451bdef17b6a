"""Boxes in another form than their file's kind has: inside their image, and told by their masks, areas or range."""

from __future__ import annotations

from typing import Any

import pytest

from kdbench.data.forms import in_parts, told_otherwise
from kdbench.data.raw import Box, Image, RawSplit

TRUE = [(10 + 3 * n, 12 + 2 * n, 30 + n, 20 + n) for n in range(12)]
"""Left, top, width, height."""


def split(
    tmp_path: Any, form: Any, mask: bool = True, area: bool = False, size: tuple[int, int] = (160, 120)
) -> RawSplit:
    boxes = []
    for left, top, width, height in TRUE:
        x, y, w, h = form(left, top, width, height)
        right, bottom = left + width, top + height
        polygon = [[left, top, right, top, right, bottom, left, bottom]] if mask else None
        boxes.append(Box((x, y, x + w, y + h), "cat", segmentation=polygon, area=width * height if area else None))
    return RawSplit(tmp_path, [Image("a.jpg", *size, boxes)])


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda x, y, w, h: (x, y, x + w, y + h), "they may be x1, y1, x2, y2"),
        (lambda x, y, w, h: (x + w / 2, y + h / 2, w, h), "they may be x and y of the centre"),
        (lambda x, y, w, h: (y, x, h, w), "they may be y, x, height, width"),
        (lambda x, y, w, h: (x, 120 - y - h, w, h), "they may be y from below"),
        (lambda x, y, w, h: (x + 20, y + 30, w, h), "12 boxes of train do not lie around their masks"),
    ],
)
def test_masks_say_another_box(tmp_path: Any, form: Any, words: str) -> None:
    (remark,) = told_otherwise("train", split(tmp_path, form))
    assert words in remark


@pytest.mark.parametrize("form", [lambda *box: box, lambda x, y, w, h: (x - 1, y - 1, w + 2, h + 2)])
@pytest.mark.parametrize("mask", [True, False])
def test_nothing_is_said_of_boxes_around_their_masks(tmp_path: Any, form: Any, mask: bool) -> None:
    assert told_otherwise("train", split(tmp_path, form, mask=mask, area=True)) == []


def test_areas_say_two_corners(tmp_path: Any) -> None:
    (remark,) = told_otherwise("train", split(tmp_path, lambda x, y, w, h: (x, y, x + w, y + h), mask=False, area=True))
    assert remark.startswith("12 boxes of train have the area of x1, y1, x2, y2")


@pytest.mark.parametrize(("size", "words"), [((640, 480), ["per cent"]), ((160, 120), [])])
def test_boxes_of_a_hundred_in_large_images(tmp_path: Any, size: tuple[int, int], words: list[str]) -> None:
    found = in_parts("train", split(tmp_path, lambda *box: box, size=size))
    assert [remark.rpartition("may be ")[2] for remark in found] == words
