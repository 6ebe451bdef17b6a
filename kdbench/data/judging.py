"""Whether a split can be learnt from or measured on as it stands: why not, or what looks wrong with it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kdbench.data import forms
from kdbench.data.raw import RawSplit
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec

REASONS = {
    "unknown": "of classes that the task does not have",
    "degenerate": "without four numbers or without area",
    "outside": "outside of their image",
    "maskless": "without a usable mask",
    "orphans": "of images that are not listed",
    "unshared": "above 1 where shares are expected",
}
MOST = 5
"""How many classes a remark names."""
SHARE = 0.1
"""A form of boxes is spoken of when so many of them have it, and at least `FEW`."""
FEW = 3


def judge(spec: DatasetSpec, name: str, split: RawSplit, classes: tuple[str, ...], content: dict[str, Any]) -> None:
    """Look at a cleaned split as a whole; what seems wrong is added to its remarks.

    Args:
        content: what `cleaning.to_coco` made of the split.

    Raises:
        InputError: it has no object that can be used; says what became of its boxes.
    """
    present = {item["category_id"] for item in content["annotations"] if not item["iscrowd"]}
    if not present:
        raise InputError(f"dataset {spec.name}, split {name}: {_nothing(spec, split, classes)}")
    absent = [label for number, label in enumerate(classes, 1) if number not in present]
    if absent:
        more = f" and {len(absent) - MOST} more" if len(absent) > MOST else ""
        split.remarks.append(f"{name} has no object of {', '.join(absent[:MOST])}{more}")
    split.remarks += [*_forms(spec, name, split), *_alike(split, classes)]


def _nothing(spec: DatasetSpec, split: RawSplit, classes: tuple[str, ...]) -> str:
    wanted = f"no usable object of the classes {', '.join(classes) or '(none)'}"
    boxes = [box for image in split.images for box in image.boxes]
    total = len(boxes) + split.dirt["orphans"] + split.dirt["unshared"]
    if not total:
        where = f"{len(split.images)} images without a box" if split.images else "no image"
        return f"{wanted}: it has {where}; check the classes and the annotation files"
    crowd = sum(box.crowd and box.name in classes for box in boxes)
    if spec.masks and split.dirt["maskless"] + crowd == total and split.dirt["maskless"]:
        return f"{wanted}: it has boxes but no masks ({total} boxes, no usable mask); set 'masks: false', or add masks"
    parts = [f"{split.dirt[key]} {words}" for key, words in REASONS.items() if split.dirt[key]]
    parts += [f"{crowd} crowd or difficult"] * bool(crowd)
    text = f"{wanted}: {total} boxes: {', '.join(parts)}"
    if split.dirt["unknown"]:
        text += f"; the annotations have the classes {_names(boxes)}"
        meant = {name.strip().casefold() for name in classes}
        if any(box.name not in classes and box.name.strip().casefold() in meant for box in boxes):
            text += ", which differ from the task's in blanks or capitals"
    shares = _shares(split)
    if shares:
        text += f"; {shares} boxes lie within 0..1: they are shares, as YOLO writes, and not pixels"
    return f"{text}; check the classes and the annotation files"


def _names(boxes: list[Any]) -> str:
    """Names as they are written, in quotes, so that a blank is seen."""
    times = Counter(box.name for box in boxes)
    shown = ", ".join(f"{name!r} ({number})" for name, number in times.most_common(2 * MOST))
    return f"{shown} and {len(times) - 2 * MOST} more" if len(times) > 2 * MOST else shown


def _forms(spec: DatasetSpec, name: str, split: RawSplit) -> list[str]:
    """Boxes that seem to be written in another form than this kind's."""
    total = sum(len(image.boxes) for image in split.images)
    enough = max(FEW, SHARE * total)
    found = []
    if split.dirt["degenerate"] >= enough and (shares := _shares(split)) >= enough:
        found.append(f"{shares} boxes of {name} lie within 0..1: they may be shares, as YOLO writes")
    if spec.kind == "coco" and split.dirt["clipped"] + split.dirt["outside"] >= enough:
        corners = _two_corners(split)
        if corners >= enough:
            found.append(
                f"{corners} boxes of {name} leave their image on the right or below: they may be x1, y1, x2, y2 where COCO has "
                "x, y, width, height"
            )
    if spec.kind == "yolo" and split.dirt["clipped"] + split.dirt["outside"] >= enough:
        found.append(
            f"boxes of {name} leave their image: YOLO's x and y are the centre of a box, here they may be a corner"
        )
    if found or getattr(spec, name).cut is not None:  # what is cut out of train is written as train is
        return found
    return [*(forms.told_otherwise(name, split) if spec.kind == "coco" else []), *forms.in_parts(name, split)]


def _alike(split: RawSplit, classes: tuple[str, ...]) -> list[str]:
    """Names that are one class to a person and several to a program."""
    spelt: dict[str, set[str]] = {}
    for label in {*classes, *(box.name for image in split.images for box in image.boxes)}:
        spelt.setdefault(" ".join(label.split()).casefold(), set()).add(label)
    groups = sorted(sorted(names) for names in spelt.values() if len(names) > 1 and names & set(classes))
    return [
        f"{' and '.join(map(repr, names))} differ in blanks or capitals and are not one class"
        for names in groups[:MOST]
    ]


def _shares(split: RawSplit) -> int:
    """Boxes whose numbers are all within 0..1, give or take the 1 that VOC's are moved by."""
    number = 0
    for image in split.images:
        for box in image.boxes:
            left, top, right, bottom = box.corners
            number += abs(left) <= 1 and abs(top) <= 1 and 0 < right - left <= 1 and 0 < bottom - top <= 1
    return number


def _two_corners(split: RawSplit) -> int:
    """Boxes that leave their image, and would not if width and height were a second corner."""
    number = 0
    for image in split.images:
        for box in image.boxes:
            left, top, right, bottom = box.corners
            beyond = right > image.width + 1 or bottom > image.height + 1
            width, height = right - left, bottom - top
            number += beyond and left < width <= image.width and top < height <= image.height
    return number
