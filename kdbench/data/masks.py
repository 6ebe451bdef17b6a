"""Which instance masks can be used: polygons of three points or more, run-length codes of the image's size."""

from __future__ import annotations

import json
import math
from typing import Any


def as_coco_writes(segmentation: Any) -> tuple[Any, str]:
    """A mask as lists of x1, y1, x2, y2, ... or as a run-length code, and what was mended (empty: nothing).

    Text that went through a table is read, one bare list is put into one, lists of points are joined. What cannot be
    brought into that form stays as it is.
    """
    if isinstance(segmentation, str):
        try:
            read = json.loads(segmentation)
        except (ValueError, RecursionError):
            return segmentation, ""
        return as_coco_writes(read)[0], "its mask was text: read"
    if not isinstance(segmentation, list) or not segmentation:
        return segmentation, ""
    if not any(isinstance(item, list | dict) for item in segmentation):
        return [segmentation], "its polygon stood without the outer list: put into one"
    if all(_is_point(item) for item in segmentation):
        return [[side for point in segmentation for side in point]], "its polygon was a list of points: joined"
    if all(isinstance(item, list) and item and all(_is_point(point) for point in item) for item in segmentation):
        joined = [[side for point in polygon for side in point] for polygon in segmentation]
        return joined, "its polygons were lists of points: joined"
    return segmentation, ""


def unusable(segmentation: Any, width: int, height: int) -> str:
    """Why a mask cannot be used; empty where it can."""
    if segmentation is None or segmentation == []:
        return "has no mask"
    if isinstance(segmentation, dict):
        return _wrong_code(segmentation, width, height)
    if not isinstance(segmentation, list):
        return "its mask is neither polygons nor a run-length code"
    if all(isinstance(p, list) and len(p) >= 6 and len(p) % 2 == 0 and _finite(p) for p in segmentation):
        return ""
    return "its polygon has fewer than three points, or no numbers"


def bounds(segmentation: Any) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of a mask; None where it has no area or cannot be used.

    Example:
        >>> bounds([[10, 20, 40, 20, 40, 60]])
        (10.0, 20.0, 40.0, 60.0)
    """
    if isinstance(segmentation, dict):
        return _bounds_of_code(segmentation)
    if not isinstance(segmentation, list) or unusable(segmentation, 0, 0):
        return None
    across, down = ([side for polygon in segmentation for side in polygon[start::2]] for start in (0, 1))
    found = (float(min(across)), float(min(down)), float(max(across)), float(max(down)))
    return found if found[2] > found[0] and found[3] > found[1] else None


def _bounds_of_code(code: dict[str, Any]) -> tuple[float, float, float, float] | None:
    size = code.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        return None
    if _wrong_code(code, size[1], size[0]):
        return None
    from pycocotools import mask as coder

    packed = coder.frPyObjects(code, *size) if isinstance(code["counts"], list) else code
    left, top, width, height = map(float, coder.toBbox(packed))
    return (left, top, left + width, top + height) if width and height else None


def _is_point(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2 and not isinstance(item[0], list)


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
