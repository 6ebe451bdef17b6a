"""The annotated size beside the file's: the orientation and the scale under which the boxes fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coder

from kdbench.data.findings import Finding
from kdbench.data.fitting import fit
from kdbench.data.raw import Box, Image

UPRIGHT = Finding(96, 64, 96, 64)
TURNED = Finding(64, 96, 96, 64, orientation=6)
HALF = Finding(96, 64, 96, 64, orientation=3)
SQUARE = Finding(64, 64, 64, 64, orientation=8)
IN_BOTH, WIDE, TALL = (4.0, 8.0, 40.0, 28.0), (4.0, 8.0, 90.0, 28.0), (4.0, 8.0, 40.0, 92.0)


def fitted(said: tuple[int, int], found: Finding, *corners: tuple[float, ...], inside: bool = True) -> Any:
    boxes: Any = [Box(one, "cat") for one in corners]
    return fit(Image("a.jpg", *said, boxes), found, inside=inside)


@pytest.mark.parametrize(
    ("said", "found", "corners", "size", "stored", "dirt"),
    [
        ((96, 64), UPRIGHT, IN_BOTH, (96, 64), False, []),
        ((0, 0), UPRIGHT, IN_BOTH, (96, 64), False, []),
        # As it is displayed, or as its pixels lie.
        ((64, 96), TURNED, IN_BOTH, (64, 96), False, []),
        ((96, 64), TURNED, IN_BOTH, (96, 64), True, ["unturned"]),
        # Boxes that fit in one alone overrule a size that a tool took from the wrong place.
        ((96, 64), TURNED, TALL, (64, 96), False, []),
        ((64, 96), TURNED, WIDE, (96, 64), True, ["unturned"]),
        ((0, 0), TURNED, WIDE, (96, 64), True, ["unturned"]),
        ((0, 0), TURNED, TALL, (64, 96), False, []),
        ((0, 0), TURNED, IN_BOTH, (64, 96), False, ["untold"]),
        # Nothing tells half a turn, or a square.
        ((96, 64), HALF, IN_BOTH, (96, 64), False, ["untold"]),
        ((64, 64), SQUARE, IN_BOTH, (64, 64), False, ["untold"]),
        # Without EXIF data the file's size wins.
        ((64, 96), UPRIGHT, IN_BOTH, (96, 64), False, ["swapped"]),
        ((640, 480), UPRIGHT, IN_BOTH, (96, 64), False, ["other"]),
        ((97, 64), UPRIGHT, IN_BOTH, (96, 64), False, ["other"]),
        ((96, 96), UPRIGHT, IN_BOTH, (96, 64), False, ["other"]),
    ],
)
def test_how_an_image_is_used(
    said: Any, found: Finding, corners: Any, size: tuple[int, int], stored: bool, dirt: list[str]
) -> None:
    result = fitted(said, found, corners)
    assert (result.image.width, result.image.height) == size
    assert result.stored == stored
    assert [key for key, _ in result.dirt] == dirt
    assert result.image.boxes[0].corners == corners


@pytest.mark.parametrize(
    ("said", "found", "corners", "expected", "dirt"),
    [
        ((192, 128), UPRIGHT, (8, 16, 100, 60), (4, 8, 50, 30), ["scaled"]),
        ((48, 32), UPRIGHT, (4, 8, 40, 28), (8, 16, 80, 56), ["scaled"]),
        ((1000, 667), UPRIGHT, (0, 0, 1000, 667), (0, 0, 96, 64), ["scaled"]),
        ((128, 192), TURNED, (8, 16, 60, 100), (4, 8, 30, 50), ["scaled"]),
        ((192, 128), TURNED, (8, 16, 100, 60), (4, 8, 50, 30), ["scaled", "unturned"]),
        # The boxes are of the file, whatever the size says: nothing is scaled.
        ((48, 32), UPRIGHT, (4, 8, 90, 60), (4, 8, 90, 60), ["other"]),
    ],
)
def test_another_scale(said: Any, found: Finding, corners: Any, expected: Any, dirt: list[str]) -> None:
    result = fitted(said, found, corners)
    assert [key for key, _ in result.dirt] == dirt
    assert result.image.boxes[0].corners == pytest.approx(expected)


def test_boxes_that_may_leave_their_image_tell_nothing() -> None:
    result = fitted((64, 96), TURNED, (-50, 0, 300, 60), inside=False)
    assert (result.stored, result.dirt) == (False, ())


def test_masks_and_areas_are_scaled_with_their_boxes() -> None:
    drawn = np.zeros((32, 48), np.uint8)
    drawn[8:20, 4:30] = 1
    code = coder.encode(np.asfortranarray(drawn))
    code["counts"] = code["counts"].decode()
    boxes = [
        Box((4, 8, 30, 20), "cat", segmentation=code, area=312.0),
        Box((4, 8, 30, 20), "cat", segmentation=[[4, 8, 30, 8, 30, 20]]),
        Box((4, 8, 30, 20), "cat", segmentation={"size": [32, 48], "counts": [1, 2, 3]}),
    ]
    result = fit(Image("a.png", 48, 32, boxes), UPRIGHT).image.boxes
    mask = coder.decode({**result[0].segmentation, "counts": result[0].segmentation["counts"].encode()})
    assert mask.shape == (64, 96)
    assert np.array_equal(np.argwhere(mask).min(0), [16, 8])
    assert np.array_equal(np.argwhere(mask).max(0), [39, 59])
    assert result[0].area == mask.sum() == 4 * 312
    assert result[1].segmentation == [[8, 16, 60, 16, 60, 40]]
    assert result[2].segmentation is not None


def test_a_box_of_no_numbers_hinders_nothing() -> None:
    nan = float("nan")
    assert fitted((96, 64), TURNED, (nan, nan, nan, nan)).stored
