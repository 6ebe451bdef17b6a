"""What a kind's reader gives, before cleaning: images with boxes, as they were found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Box:
    """A box as annotated: corners in pixels (right and bottom edges exclusive), class name, crowd or difficult."""

    corners: tuple[float, float, float, float]
    name: str
    crowd: bool = False
    segmentation: Any = None
    area: float | None = None


@dataclass
class Image:
    """An image of a dataset: its file relative to the split's image folder, width and height in pixels."""

    file: str
    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)


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
