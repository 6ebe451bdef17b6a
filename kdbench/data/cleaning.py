"""Real annotations are dirty: what cannot be used is dropped and counted, what can be mended is mended and counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from kdbench.data.masks import unusable
from kdbench.data.raw import Box, Image, RawSplit, in_pixels

WORDS = {
    "degenerate": "boxes without area dropped",
    "outside": "boxes outside their image dropped",
    "clipped": "boxes clipped to their image",
    "unknown": "boxes of unknown classes skipped",
    "empty": "images without objects kept",
    "missing": "listed images without a file skipped",
    "repeated": "images listed twice skipped",
    "merged": "entries for an image that was listed already put together",
    "twice": "boxes given twice dropped",
    "renumbered": "boxes that shared an id renumbered",
    "orphans": "boxes of images that are not listed skipped",
    "maskless": "objects without a usable mask ignored",
    "strange": "boxes with unknown tags ignored",
    "flat": "boxes without area left out of training",
    "beyond": "boxes outside their image left out of training",
    "renamed": "images found under another name than the listed",
    "retyped": "boxes whose ids were text here and a number there matched",
    "flags": "iscrowd, ignore or difficult that are not 0 or 1 read",
    "reshaped": "boxes written as text or with named sides read",
    "turned": "boxes with corners the wrong way round put in order",
    "rotated": "rotated boxes taken as the upright box around them",
    "boxed": "objects without a box given the box around their mask or polygon",
    "corners": "boxes with bbox_mode 0 taken as two corners",
    "posed": "pose labels taken without their keypoints",
    "remasked": "masks written as text or as points read",
    "roots": "files with a root category that no box has, which is left out",
    "encodings": "files read though not in their encoding or with a bare '&'",
    "foreign": "XML files that are no annotations skipped",
    "unannotated": "images without an annotation file left out",
    "unlabelled": "images without a label file taken as without objects",
    "imageless": "label files without an image skipped",
    "unshared": "boxes that are no shares 0..1 dropped",
}


def to_coco(split: RawSplit, classes: tuple[str, ...], masks: bool, counts: Counter[str]) -> dict[str, Any]:
    """A split as a COCO dictionary with clean boxes; what was done is added to `counts` and listed in `split.problems`.

    Category ids count from 1 in the order of `classes`; image and annotation ids from 1. Of a split that is to stay
    `as_annotated`, boxes are neither clipped nor dropped, unless they are no numbers.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    seen: set[str] = set()
    numbers = {name: index for index, name in enumerate(classes, 1)}
    make = _as_annotated if split.as_annotated else _clean
    for image in split.images:
        if image.file in seen:
            split.tell("repeated", image.file, "", "listed twice: the second entry is skipped")
            continue
        seen.add(image.file)
        in_pixels(image)
        number = len(images) + 1
        images.append({"id": number, "file_name": image.file, "width": image.width, "height": image.height})
        kept = 0
        for box in image.boxes:
            entry = make(box, image, numbers, masks, split)
            if entry is not None:
                annotations.append({"id": len(annotations) + 1, "image_id": number, **entry})
                kept += not entry["iscrowd"]
        if kept == 0:
            split.tell("empty", image.file, "", "no object on it: kept")
    counts.update(split.dirt)
    categories = [{"id": index, "name": name} for index, name in enumerate(classes, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def sentence(counts: Counter[str], remarks: Iterable[str] = ()) -> str:
    """What cleaning did and what it saw, in one line; empty when the data was clean."""
    done = [f"{counts[key]} {words}" for key, words in WORDS.items() if counts[key]]
    return ", ".join([*done, *dict.fromkeys(remarks)])


def _clean(box: Box, image: Image, numbers: dict[str, int], masks: bool, split: RawSplit) -> dict[str, Any] | None:
    if box.name not in numbers:
        split.tell("unknown", image.file, _named(box), f"class {box.name!r} is none of the task's: skipped")
        return None
    left, top, right, bottom = box.corners
    if not all(math.isfinite(side) for side in box.corners):
        split.tell("degenerate", image.file, _named(box), "has not four numbers: dropped")
        return None
    if right - left < 1 or bottom - top < 1:
        split.tell("degenerate", image.file, _named(box), "has no area: dropped")
        return None
    inside = (max(0.0, left), max(0.0, top), min(float(image.width), right), min(float(image.height), bottom))
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        split.tell("outside", image.file, _named(box), f"outside of {image.width} x {image.height}: dropped")
        return None
    if inside != (left, top, right, bottom):
        split.tell("clipped", image.file, _named(box), f"clipped to {image.width} x {image.height}")
    width, height = inside[2] - inside[0], inside[3] - inside[1]
    entry: dict[str, Any] = {
        "bbox": [inside[0], inside[1], width, height],
        # mmdet leaves objects of area 0 out of training without a word.
        "area": box.area if box.area is not None and 0 < box.area < math.inf else width * height,
        "category_id": numbers[box.name],
        "iscrowd": int(box.crowd),
    }
    if masks:
        entry["segmentation"] = box.segmentation
        if wrong := unusable(box.segmentation, image.width, image.height):
            # An object is there, so it must not become background; without its mask it can only be ignored.
            if not box.crowd:
                split.tell("maskless", image.file, _named(box), f"{wrong}: ignored")
            x, y = inside[:2]
            corners = [x, y, x + width, y, x + width, y + height, x, y + height]
            entry |= {"iscrowd": 1, "segmentation": [corners]}
    return entry


def _as_annotated(
    box: Box, image: Image, numbers: dict[str, int], masks: bool, split: RawSplit
) -> dict[str, Any] | None:
    """A box that evaluation counts even where mmdet leaves it out of training: flat, or outside its image."""
    left, top, right, bottom = box.corners
    if not all(math.isfinite(side) for side in box.corners):
        split.tell("degenerate", image.file, _named(box), "has not four numbers: dropped")
        return None
    width, height = right - left, bottom - top
    if width < 1 or height < 1:
        split.tell("flat", image.file, _named(box), "has no area: left out of training")
    elif right <= 0 or bottom <= 0 or left >= image.width or top >= image.height:
        split.tell("beyond", image.file, _named(box), "outside of the image: left out of training")
    return {
        "bbox": [left, top, width, height],
        "area": width * height,
        "category_id": numbers[box.name],
        "iscrowd": int(box.crowd),
    }


def _named(box: Box) -> str:
    """A box in a list of problems: what it calls itself, and its corners."""
    corners = " ".join(f"{side:.6g}" for side in box.corners)
    return f"{box.label} ({corners})".lstrip()
