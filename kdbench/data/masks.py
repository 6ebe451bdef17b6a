"""Which instance masks can be used: polygons of three points or more, run-length codes of the image's size."""

from __future__ import annotations

import math
from typing import Any


def usable_mask(segmentation: Any, width: int, height: int) -> tuple[Any, str]:
    """The mask as COCO writes it, or None, and what was wrong with it (empty: nothing)."""
    if segmentation is None or segmentation == []:
        return None, "has no mask"
    if isinstance(segmentation, dict):
        wrong = _wrong_code(segmentation, width, height)
        return (None if wrong else segmentation), wrong
    if not isinstance(segmentation, list):
        return None, "its mask is neither polygons nor a run-length code"
    polygons, mended = _polygons(segmentation)
    if all(len(p) >= 6 and len(p) % 2 == 0 and _finite(p) for p in polygons):
        return polygons, mended
    return None, "its polygon has fewer than three points, or no numbers"


def _polygons(segmentation: list[Any]) -> tuple[list[list[Any]], str]:
    """Lists of x1, y1, x2, y2, ...; one bare list and lists of points are brought into that form."""
    if not any(isinstance(item, list | dict) for item in segmentation):
        return [segmentation], "its polygon stood without the outer list: put into one"
    if all(isinstance(item, list) and len(item) == 2 and not isinstance(item[0], list) for item in segmentation):
        return [[side for point in segmentation for side in point]], "its polygon was a list of points: joined"
    if all(isinstance(item, list) and item and all(_is_point(point) for point in item) for item in segmentation):
        joined = [[side for point in polygon for side in point] for polygon in segmentation]
        return joined, "its polygons were lists of points: joined"
    return [item if isinstance(item, list) else [] for item in segmentation], ""


def _is_point(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2


def _finite(numbers: list[Any]) -> bool:
    return all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)


def _wrong_code(code: dict[str, Any], width: int, height: int) -> str:
    size, counts = code.get("size"), code.get("counts")
    if not counts or not isinstance(counts, list | str):
        return "its run-length code is empty"
    if size != [height, width]:
        return f"its run-length code has size {size!r:.40}, the image {[height, width]}"
    if isinstance(counts, str):
        runs = _decoded(counts)
    elif all(isinstance(run, int) and run >= 0 for run in counts):
        runs = counts
    else:
        runs = None
    # pycocotools would write beyond its memory, or leave the rest of the mask open.
    return "" if runs is not None and sum(runs) == width * height else "its run-length code does not fill its size"


def _decoded(text: str) -> list[int] | None:
    """The runs of a compressed code: six bits a letter, the sixth says that more follow, from the third on differences.

    None where it is none.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs if shift == 0 and min(runs, default=-1) >= 0 else None
