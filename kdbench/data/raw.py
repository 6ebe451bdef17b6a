"""What a kind's reader gives, before cleaning: images with boxes, as they were found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Problem = tuple[str, str, str]
"""File, box (empty where the file as a whole is meant), and what was done: a line of `problems.csv`."""


@dataclass(slots=True)
class Box:
    """A box as annotated: corners in pixels (right and bottom edges exclusive), class name, crowd or difficult.

    Attributes:
        label: what the annotation calls itself, for messages: an id, a number in its file, a line.
    """

    corners: tuple[float, float, float, float]
    name: str
    crowd: bool = False
    segmentation: Any = None
    area: float | None = None
    label: Any = ""


@dataclass(slots=True)
class Image:
    """An image of a dataset: its file relative to the split's image folder, width and height in pixels.

    Attributes:
        width: as annotated; 0 where the annotations do not tell it.
        height: likewise.
        shares: corners and polygons are shares 0..1 of width and height, until `in_pixels` has been called.
    """

    file: str
    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)
    shares: bool = False


@dataclass
class RawSplit:
    """One split as read."""

    folder: Path
    images: list[Image]
    names: tuple[str, ...] = ()
    dirt: Counter[str] = field(default_factory=Counter)
    """What the reader left out or mended, by the keys of `cleaning.WORDS`."""
    as_annotated: bool = False
    """Boxes may leave their image and all are kept: the dataset's own metric counts them."""
    problems: list[Problem] = field(default_factory=list)
    """Every single thing that `dirt` counts, where it is and what was done."""
    remarks: list[str] = field(default_factory=list)
    """What the split as a whole looks like: said in the one line, after the counts."""

    def tell(self, key: str, file: str, box: Any, what: str) -> None:
        """Count a thing under a key of `cleaning.WORDS`, and list it.

        Example:
            >>> raw.tell("missing", "a.jpg", "", "no such file: skipped")
        """
        self.dirt[key] += 1
        self.problems.append((file, str(box), what))


def in_pixels(image: Image) -> None:
    """Turn shares of an image's sides into pixels, once its size is known; other images stay as they are.

    Shares are written with six digits: what a hundredth of a pixel says is their rounding, and clips no box.
    """
    if not image.shares:
        return
    sides = (image.width, image.height)
    for box in image.boxes:
        left, top, right, bottom = (round(share * sides[place % 2], 2) for place, share in enumerate(box.corners))
        box.corners = (left, top, right, bottom)
        if box.segmentation:
            box.segmentation = [
                [round(share * sides[place % 2], 2) for place, share in enumerate(polygon)]
                for polygon in box.segmentation
            ]
    image.shares = False


def put_together(raw: RawSplit) -> None:
    """Make one image of all entries for a file: their boxes add up, what is the same in two of them stays once.

    Converters write an entry for each box, and merged exports list a file again; were one entry dropped, its objects
    would be learnt as background.
    """
    first: dict[str, Image] = {}
    for image in raw.images:
        known = first.setdefault(image.file, image)
        if known is image:
            continue
        have = {_content(box) for box in known.boxes}
        new = [box for box in image.boxes if _content(box) not in have]
        if not new:
            raw.tell("repeated", image.file, "", "listed twice: the second entry adds nothing and is skipped")
            continue
        raw.tell("merged", image.file, "", "listed under several entries: their boxes are put together")
        for box in image.boxes:
            if _content(box) in have:
                raw.tell("twice", image.file, box.label, "the same box in two entries of the file: kept once")
        known.boxes += new
    raw.images = list(first.values())


def _content(box: Box) -> tuple[Any, ...]:
    # NaN is not equal to itself.
    return (*("nan" if side != side else side for side in box.corners), box.name, box.crowd)
