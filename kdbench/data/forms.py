"""Boxes that are numbers inside their image and yet may not be meant so: what else in their file says.

An annotation's mask and area know its box too. Where they say another one, the box was written in another form: two
corners, a centre, y before x, y from below. Boxes that all stay below 100 or 1000 in much larger images may be parts of it.
"""

from __future__ import annotations

import math

from kdbench.data.masks import bounds
from kdbench.data.raw import Box, Image, RawSplit

SHARE = 0.1
"""Masks speak against a split's boxes when so many of those with a mask lie elsewhere, and at least `FEW`."""
FEW = 3
MANY = 10
"""So few boxes or less prove nothing of the range of all."""
PARTS = ((100.0, "per cent"), (1000.0, "thousandths"))
NEAR = 2.0
"""Pixels between a box and its mask, at least; a twentieth of its longer side otherwise."""
FORMS = {
    "corners": "x1, y1, x2, y2",
    "centre": "x and y of the centre",
    "swapped": "y, x, height, width",
    "below": "y from below",
}


def told_otherwise(name: str, split: RawSplit) -> list[str]:
    """A remark where masks or areas say other boxes than those of a COCO split."""
    with_mask = away = with_area = corners = 0
    forms: dict[str, int] = {}
    for image in split.images:
        for box in image.boxes:
            if box.crowd or not all(map(math.isfinite, box.corners)):
                continue
            around = bounds(box.segmentation) if box.segmentation else None
            if around is not None:
                with_mask += 1
                if not _near(box.corners, around, _side(around)):
                    away += 1
                    form = _form(box, around, image)
                    forms[form] = forms.get(form, 0) + 1
            elif box.area is not None and box.area > 0:
                with_area += 1
                corners += _area_of_corners(box)
    if away >= max(FEW, SHARE * with_mask):
        form = max(forms, key=lambda key: forms[key])
        meant = f": they may be {FORMS[form]} where COCO has x, y, width, height" if form else ""
        return [f"{away} boxes of {name} do not lie around their masks{meant}"]
    if corners >= max(FEW, with_area / 2):
        return [
            f"{corners} boxes of {name} have the area of x1, y1, x2, y2, which they may be where COCO has x, y, width, height"
        ]
    return []


def in_parts(name: str, split: RawSplit) -> list[str]:
    """A remark where all boxes lie in the same small corner of much larger images."""
    boxes = [
        (image, box)
        for image in split.images
        for box in image.boxes
        if all(math.isfinite(side) for side in box.corners)
    ]
    if len(boxes) < MANY:
        return []
    most = max(max(box.corners) for _, box in boxes)
    least = min(min(image.width, image.height) for image, _ in boxes)
    for unit, words in PARTS:
        if unit / 2 < most <= unit + 1 and least >= 2 * unit:
            return [f"no box of {name} goes beyond {unit:g}, and no image is below {least} pixels: they may be {words}"]
    return []


def _form(box: Box, around: tuple[float, ...], image: Image) -> str:
    """The form in which a box's four numbers would be the box around its mask; empty where none is known."""
    left, top, right, bottom = box.corners
    width, height = right - left, bottom - top
    meant = {
        "corners": (left, top, width, height),
        "centre": (left - width / 2, top - height / 2, left + width / 2, top + height / 2),
        "swapped": (top, left, bottom, right),
        "below": (left, image.height - bottom, right, image.height - top),
    }
    return next((form for form, corners in meant.items() if _near(corners, around, _side(around))), "")


def _side(corners: tuple[float, ...]) -> float:
    return max(corners[2] - corners[0], corners[3] - corners[1])


def _near(one: tuple[float, ...], two: tuple[float, ...], side: float) -> bool:
    return max(abs(first - second) for first, second in zip(one, two, strict=True)) <= max(NEAR, side / 20)


def _area_of_corners(box: Box) -> bool:
    """Whether a box's area is that of its numbers as two corners, and not that of left, top, width and height."""
    assert box.area is not None
    left, top, right, bottom = box.corners
    width, height = right - left, bottom - top
    if width <= left or height <= top or math.isclose(width * height, box.area, rel_tol=0.02):
        return False
    return math.isclose((width - left) * (height - top), box.area, rel_tol=0.02)
