"""Real annotations are dirty: what cannot be used is dropped and counted, what can be mended is mended and counted."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from kdbench.data import problems
from kdbench.data.raw import Box, Image, RawSplit

WORDS = {
    "degenerate": "boxes without area dropped",
    "outside": "boxes outside their image dropped",
    "clipped": "boxes clipped to their image",
    "unknown": "boxes of unknown classes skipped",
    "empty": "images without objects kept",
    "missing": "listed images without a file skipped",
    "repeated": "images listed twice skipped",
    "twice": "boxes given twice dropped",
    "renumbered": "boxes that shared an id renumbered",
    "orphans": "boxes of images that are not listed skipped",
    "maskless": "objects without a usable mask ignored",
    "strange": "boxes with unknown tags ignored",
    "flat": "boxes without area left out of training",
    "beyond": "boxes outside their image left out of training",
}


def to_coco(split: RawSplit, classes: tuple[str, ...], masks: bool, counts: Counter[str]) -> dict[str, Any]:
    """A split as a COCO dictionary with clean boxes; what was done is added to `counts`.

    Category ids count from 1 in the order of `classes`; image and annotation ids from 1. Of a split that is to stay
    `as_annotated`, boxes are neither clipped nor dropped, unless they are no numbers.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    seen: set[str] = set()
    counts.update(split.dirt)
    for image in split.images:
        problems.at(counts, image.file)
        if image.file in seen:
            counts["repeated"] += 1
            continue
        seen.add(image.file)
        number = len(images) + 1
        images.append({"id": number, "file_name": image.file, "width": image.width, "height": image.height})
        kept = 0
        for box in image.boxes:
            problems.at(counts, image.file, box.corners)
            make = _as_annotated if split.as_annotated else _clean
            entry = make(box, image, classes, masks, counts)
            if entry is not None:
                annotations.append({"id": len(annotations) + 1, "image_id": number, **entry})
                kept += not entry["iscrowd"]
        problems.at(counts, image.file)
        counts["empty"] += kept == 0
    categories = [{"id": index, "name": name} for index, name in enumerate(classes, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def sentence(counts: Counter[str]) -> str:
    """What cleaning did, in one line; empty when the data was clean."""
    return ", ".join(f"{counts[key]} {words}" for key, words in WORDS.items() if counts[key])


def _clean(
    box: Box, image: Image, classes: tuple[str, ...], masks: bool, counts: Counter[str]
) -> dict[str, Any] | None:
    if box.name not in classes:
        counts["unknown"] += 1
        return None
    left, top, right, bottom = box.corners
    if not all(math.isfinite(side) for side in box.corners) or right - left < 1 or bottom - top < 1:
        counts["degenerate"] += 1
        return None
    inside = (max(0.0, left), max(0.0, top), min(float(image.width), right), min(float(image.height), bottom))
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        counts["outside"] += 1
        return None
    counts["clipped"] += inside != (left, top, right, bottom)
    width, height = inside[2] - inside[0], inside[3] - inside[1]
    entry: dict[str, Any] = {
        "bbox": [inside[0], inside[1], width, height],
        # mmdet leaves objects of area 0 out of training without a word.
        "area": box.area if box.area is not None and 0 < box.area < math.inf else width * height,
        "category_id": classes.index(box.name) + 1,
        "iscrowd": int(box.crowd),
    }
    if masks:
        entry["segmentation"] = box.segmentation
        if not _usable(box.segmentation):
            # An object is there, so it must not become background; without its mask it can only be ignored.
            counts["maskless"] += not box.crowd
            x, y = inside[:2]
            corners = [x, y, x + width, y, x + width, y + height, x, y + height]
            entry |= {"iscrowd": 1, "segmentation": [corners]}
    return entry


def _as_annotated(
    box: Box, image: Image, classes: tuple[str, ...], masks: bool, counts: Counter[str]
) -> dict[str, Any] | None:
    """A box that evaluation counts even where mmdet leaves it out of training: flat, or outside its image."""
    left, top, right, bottom = box.corners
    if not all(math.isfinite(side) for side in box.corners):
        counts["degenerate"] += 1
        return None
    width, height = right - left, bottom - top
    if width < 1 or height < 1:
        counts["flat"] += 1
    elif right <= 0 or bottom <= 0 or left >= image.width or top >= image.height:
        counts["beyond"] += 1
    return {
        "bbox": [left, top, width, height],
        "area": width * height,
        "category_id": classes.index(box.name) + 1,
        "iscrowd": int(box.crowd),
    }


def _usable(segmentation: Any) -> bool:
    """Polygons of three points or more, or a run-length code."""
    if isinstance(segmentation, dict):
        return bool(segmentation.get("counts")) and len(segmentation.get("size", ())) == 2
    return (
        isinstance(segmentation, list)
        and bool(segmentation)
        and all(isinstance(p, list) and len(p) >= 6 and len(p) % 2 == 0 and _finite(p) for p in segmentation)
    )


def _finite(numbers: list[Any]) -> bool:
    return all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
