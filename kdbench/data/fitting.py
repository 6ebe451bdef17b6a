"""The size that annotations name beside the size that the file has: how the image is read so that its boxes fit.

| annotations say | the image is used |
|---|---|
| its size as displayed, or none | as displayed |
| its size as the pixels lie, unlike as displayed | unturned, EXIF data left alone |
| either size times one factor | so, boxes and masks scaled to the file |
| width and height swapped, or anything else | as displayed, boxes as they are |

Boxes that lie in only one of two sizes overrule the annotated one. Where EXIF data turns an image and its size cannot tell (half
a turn, a mirror, a square), it is used as displayed. Whatever is not the first row is counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kdbench.data.findings import Finding
from kdbench.data.raw import Box, Image

WORDS = {
    "unreadable": "images that cannot be read left out",
    "cut": "images that end early used as far as they go",
    "unturned": "images with boxes that fit before EXIF data turns them, used unturned",
    "scaled": "images annotated at another scale, boxes scaled to the file",
    "swapped": "images whose annotated width and height are swapped, used as displayed",
    "other": "images of another size than annotated, used as displayed with boxes as they are",
    "untold": "images that EXIF data turns where the annotations do not tell, used as displayed",
}
DONE = {
    "cut": "ends early: used as far as it goes",
    "unturned": "boxes fit before EXIF data turns it: used unturned",
    "scaled": "another scale: boxes scaled to the file",
    "swapped": "width and height are swapped: used as displayed",
    "other": "another size: used as displayed, boxes as they are",
    "untold": "turned by EXIF data, and the annotations do not tell: used as displayed",
}
"""The same of one image."""
SLACK = 2.0
"""Pixels that boxes of an image may leave it by; VOC's count from 1, and rounding moves them."""
Size = tuple[int, int]


def sentence(counts: Counter[str]) -> str:
    """What was found about the images, in one line; empty when nothing was."""
    return ", ".join(f"{counts[key]} {words}" for key, words in WORDS.items() if counts[key])


@dataclass(frozen=True)
class Fit:
    """An image as it is used.

    Attributes:
        stored: its pixels are used as they lie in the file.
        dirt: what was found, by the keys of WORDS, with a detail.
    """

    image: Image
    stored: bool
    dirt: tuple[tuple[str, str], ...]


def fit(image: Image, found: Finding, *, inside: bool = True) -> Fit:
    """How an image is used.

    Args:
        image: as annotated; width and height are 0 where the annotations have none.
        inside: boxes are expected to lie in the image, so that they tell its size.
    """
    said = (image.width, image.height)
    shown, stored = (found.width, found.height), (found.stored_width, found.stored_height)
    corners = [box.corners for box in image.boxes if all(map(math.isfinite, box.corners))] if inside else []
    sizes = [shown] if shown == stored else [shown, stored]
    dirt: list[tuple[str, str]] = []
    words = f"annotated {said[0]}x{said[1]}, the file has {shown[0]}x{shown[1]}"
    size, factor = shown, (1.0, 1.0)
    if min(said) < 1:
        size = _where_boxes_fit(shown, sizes, corners)
    elif said in sizes:
        size = _where_boxes_fit(said, sizes, corners)
    else:
        scaled = next((one for one in sizes if _is_scaled(said, one)), None)
        if scaled is not None and (_fits(corners, said) or not _fits(corners, scaled)):
            size, factor = scaled, (scaled[0] / said[0], scaled[1] / said[1])
            dirt.append(("scaled", words))
        else:
            size = _where_boxes_fit(shown, sizes, corners)
            swapped = said == (shown[1], shown[0])
            dirt.append(("swapped" if swapped else "other", words))
    unturned = size != shown
    if unturned:
        dirt.append(("unturned", f"EXIF orientation {found.orientation}"))
    elif found.orientation != 1 and image.boxes and not _told(said, sizes, corners):
        dirt.append(("untold", f"EXIF orientation {found.orientation}"))
    if found.cut:
        dirt.append(("cut", ""))
    boxes = image.boxes if factor == (1.0, 1.0) else [_scaled(box, factor, said, size) for box in image.boxes]
    return Fit(replace(image, width=size[0], height=size[1], boxes=boxes), unturned, tuple(dirt))


def _told(said: Size, sizes: list[Size], corners: Sequence[tuple[float, ...]]) -> bool:
    """Whether the annotations fit in one of two orientations alone."""
    return len(sizes) > 1 and (min(said) >= 1 or sum(_fits(corners, size) for size in sizes) == 1)


def _fits(corners: Sequence[tuple[float, ...]], size: Size) -> bool:
    return all(
        min(left, top) >= -SLACK and right <= size[0] + SLACK and bottom <= size[1] + SLACK
        for left, top, right, bottom in corners
    )


def _where_boxes_fit(first: Size, sizes: list[Size], corners: Sequence[tuple[float, ...]]) -> Size:
    """The first choice, unless the boxes fit in the other size alone."""
    others = [size for size in sizes if size != first and _fits(corners, size)]
    return others[0] if others and not _fits(corners, first) else first


def _is_scaled(said: Size, size: Size) -> bool:
    """Whether both sides differ by one factor, up to rounding; by a pixel alone is no scale."""
    if max(abs(said[0] - size[0]), abs(said[1] - size[1])) <= 1:
        return False
    large = max(range(2), key=lambda side: size[side])
    factor = said[large] / size[large]
    small = 1 - large
    # The longer side is right by half a pixel, which is less on the shorter one; that one may be cut or rounded.
    return abs(size[small] * factor - said[small]) < 1.0


def _scaled(box: Box, factor: tuple[float, float], said: Size, size: Size) -> Box:
    x, y = factor
    left, top, right, bottom = box.corners
    area = box.area * x * y if box.area is not None else None
    corners = (left * x, top * y, right * x, bottom * y)
    return replace(box, corners=corners, area=area, segmentation=_scaled_mask(box.segmentation, factor, said, size))


def _scaled_mask(mask: Any, factor: tuple[float, float], said: Size, size: Size) -> Any:
    """Polygons with their points scaled; a run-length code at the image's size; what is neither stays as it is."""
    if isinstance(mask, list) and all(isinstance(part, list) and all(map(_is_number, part)) for part in mask):
        return [[value * factor[place % 2] for place, value in enumerate(part)] for part in mask]
    if isinstance(mask, dict) and mask.get("size") == [said[1], said[0]]:
        return _scaled_code(mask, size)
    return mask


def _scaled_code(code: dict[str, Any], size: Size) -> Any:
    import cv2
    import numpy as np
    from pycocotools import mask as coder

    try:
        packed = coder.frPyObjects(code, *code["size"]) if isinstance(code["counts"], list) else code
        pixels = cv2.resize(coder.decode(packed), size, interpolation=cv2.INTER_NEAREST)
    except Exception:  # a broken code stays as it is, and cleaning drops it
        return code
    made = coder.encode(np.asfortranarray(pixels, dtype=np.uint8))
    return {"size": [int(side) for side in made["size"]], "counts": made["counts"].decode()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
