"""One XML file in VOC's format: what it calls its image, the size, the boxes.

VOC counts pixels from 1 and includes the right and bottom edge. As mmdet's XMLDataset does, 1 is taken from all four
numbers and nothing is added to the size: x = xmin - 1, w = xmax - xmin, so that boxes are those its VOC results were
measured with. Unlike there, fractions are kept. `difficult` objects become crowd: left out of training, ignored by
evaluation.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from kdbench.data.raw import Box, Image, RawSplit
from kdbench.data.reading.values import Four, around, flag, number, whole
from kdbench.data.reading.xml_file import DAMAGED, read_xml
from kdbench.errors import InputError

SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass
class VocFile:
    """What an XML file says.

    Attributes:
        filename: the image as the file names it; often stale, so the file's own name goes first.
        done: (key of `cleaning.WORDS`, box, what) of everything that was mended.
    """

    path: Path
    filename: str
    folder: str
    size: tuple[int, int]
    boxes: list[Box]
    done: list[tuple[str, str, str]] = field(default_factory=list)
    foreign: bool = False

    def image(self, file: str, raw: RawSplit) -> Image:
        """The image as `file`; what was mended is told to `raw`."""
        for key, box, what in self.done:
            raw.tell(key, file, box, what)
        return Image(file, *self.size, self.boxes)


def read_voc(path: Path) -> VocFile:
    """Read an XML file.

    Raises:
        InputError: it is broken, a tool's other XML, or a class name or flag in it cannot be read.
    """
    tree = read_xml(path)
    root = tree.root
    if root.tag == "annotations" and root.find("image") is not None:
        raise InputError(f"{path}: is CVAT's own XML of many images; export the task as COCO 1.0 or PASCAL VOC 1.1")
    width, height = (whole(root.findtext(f"size/{side}")) for side in ("width", "height"))
    size = (width, height) if width and height else (0, 0)
    filename, folder = ((root.findtext(key) or "").strip() for key in ("filename", "folder"))
    found = VocFile(path, filename, folder, size, [])
    if tree.mended:
        found.done.append(("encodings", "", f"{path.name}: {tree.mended}"))
    found.boxes = [box for place, item in enumerate(root.iter("object"), 1) for box in _boxes(item, place, found)]
    found.foreign = str(root.tag).lower() != "annotation" and not found.boxes and not filename
    return found


def _boxes(item: ElementTree.Element, place: int, found: VocFile) -> list[Box]:
    """The boxes of an object: one, or as many as converters put under one name."""
    label = f"object {place}"
    name = (item.findtext("name") or "").strip()
    if DAMAGED in name:
        raise InputError(
            f"{found.path}: {label}: its class is no text in the encoding of the file; save it as UTF-8, or declare its encoding"
        )
    text = item.findtext("difficult")
    try:
        difficult = flag(text)
    except ValueError as error:
        raise InputError(f"{found.path}: {label}: 'difficult' is {text!r:.40}, which {error}; correct it") from None
    if difficult and text is not None and text.strip() != "1":
        found.done.append(("flags", label, f"difficult {text!r:.40} read as 1"))
    own: list[ElementTree.Element | None] = [*item.findall("bndbox")]
    return [Box(_corners(item, box, label, found), name, difficult, label=label) for box in own or [None]]


def _corners(item: ElementTree.Element, own: ElementTree.Element | None, label: str, found: VocFile) -> Four:
    """The corners in pixels from 0; NaN where there is no number, which drops the box and counts it."""
    turned = item.find("robndbox")
    if turned is not None and own is None:
        x, y, width, height, angle = (number(turned.findtext(key)) for key in ("cx", "cy", "w", "h", "angle"))
        found.done.append(("rotated", label, "turned box: the upright box around it"))
        if math.isfinite(angle):
            left, top, width, height = around(x - width / 2, y - height / 2, width, height, math.degrees(angle))
            return (left - 1, top - 1, left + width - 1, top + height - 1)
    if own is None and (corners := _around_polygon(item)) is not None:
        found.done.append(("boxed", label, "has no box: the one around its polygon"))
        return corners
    left, top, right, bottom = (number(own.findtext(side) if own is not None else None) - 1 for side in SIDES)
    if right < left or bottom < top:
        found.done.append(("turned", label, "corners the wrong way round: put in order"))
        left, right = sorted((left, right))
        top, bottom = sorted((top, bottom))
    degrees = _rotation(item)
    if degrees % 180:
        # CVAT's way: the box before it was turned, and the angle.
        left, top, width, height = around(left, top, right - left, bottom - top, degrees)
        right, bottom = left + width, top + height
        found.done.append(("rotated", label, f"turned by {degrees:g} degrees: the upright box around it"))
    return (left, top, right, bottom)


def _around_polygon(item: ElementTree.Element) -> Four | None:
    """The box around a polygon, as LabelMe (`pt` with x and y) and Roboflow (x1, y1, x2 ...) write one."""
    across, down = (
        [number(part.text) - 1 for part in item.iterfind("polygon//*") if re.fullmatch(rf"{axis}\d*", str(part.tag))]
        for axis in "xy"
    )
    if len(across) < 2 or len(across) != len(down) or any(map(math.isnan, across + down)):
        return None
    return (min(across), min(down), max(across), max(down))


def _rotation(item: ElementTree.Element) -> float:
    for attribute in item.iterfind("attributes/attribute"):
        if attribute.findtext("name") == "rotation":
            degrees = number(attribute.findtext("value"))
            return degrees if math.isfinite(degrees) else 0.0
    return 0.0
