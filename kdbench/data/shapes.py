"""The generated dataset: plain coloured shapes on grey noise, seeded, with boxes and instance masks.

Every image is drawn from a stream of its own (seed, split, index), so a split may grow without changing its first images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kdbench.data.raw import Box, Image, RawSplit
from kdbench.specs.dataset import SPLITS, DatasetSpec

CLASSES = ("circle", "square", "triangle")
MIN_VISIBLE = 0.5
"""A shape that later ones cover by more than this share is drawn elsewhere."""


def generate(spec: DatasetSpec, split: str, folder: Path) -> RawSplit:
    """Draw the images of a split into `folder`; the same seed gives the same bytes."""
    import cv2

    size = getattr(spec, split).size
    assert size is not None
    assert spec.image_size is not None
    folder.mkdir(parents=True)
    images = []
    for index in range(size):
        stream = np.random.Generator(np.random.PCG64([spec.seed, SPLITS.index(split), index]))
        picture, boxes = draw(spec.image_size, stream)
        name = f"{index:05d}.png"
        # Written here: OpenCV leaves half of a file on a full disk, with a line of its own and no error.
        (folder / name).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        images.append(Image(name, spec.image_size[1], spec.image_size[0], boxes))
    return RawSplit(folder, images, names=CLASSES)


def draw(size: tuple[int, int], stream: np.random.Generator) -> tuple[np.ndarray, list[Box]]:
    """One image (H, W, 3) uint8 BGR and its boxes: 1 to 4 shapes, a seventh to a half of the shorter side wide."""
    canvas = stream.normal(128, 30, (*size, 3))
    shapes: list[tuple[str, np.ndarray, np.ndarray]] = []
    for _ in range(int(stream.integers(1, 5))):
        placed = _place(size, stream, [mask for _, mask, _ in shapes])
        if placed is not None:
            shapes.append((*placed, stream.integers(0, 256, 3)))
    boxes = []
    for index, (name, mask, colour) in enumerate(shapes):
        canvas[mask] = colour
        visible = mask.copy()
        for _, later, _ in shapes[index + 1 :]:
            visible &= ~later
        boxes.append(_box(name, visible))
    return canvas.clip(0, 255).astype(np.uint8), boxes


def _place(
    size: tuple[int, int], stream: np.random.Generator, others: list[np.ndarray]
) -> tuple[str, np.ndarray] | None:
    for _ in range(10):
        name = CLASSES[int(stream.integers(len(CLASSES)))]
        mask = _shape(name, size, stream)
        if all((other & ~mask).sum() >= MIN_VISIBLE * other.sum() for other in others):
            return name, mask
    return None


def _shape(name: str, size: tuple[int, int], stream: np.random.Generator) -> np.ndarray:
    """A boolean mask (H, W), whole inside the image; by inequalities, so that no drawing library's rounding enters."""
    height, width = size
    radius = stream.uniform(1 / 10, 1 / 4) * min(size)
    x, y = stream.uniform(radius + 1, width - radius - 1), stream.uniform(radius + 1, height - radius - 1)
    # Upright but for a little: a triangle points up, a square stands on its side.
    angle = np.pi / 2 + stream.uniform(-0.25, 0.25)
    down, right = np.mgrid[0:height, 0:width]
    if name == "circle":
        inside: np.ndarray = (right - x) ** 2 + (down - y) ** 2 <= radius**2
        return inside
    corners = 4 if name == "square" else 3
    turns = angle + 2 * np.pi * np.arange(corners) / corners
    inside = np.ones(size, dtype=bool)
    for turn in turns:
        # A regular polygon is where every edge's normal sees the point within the inner radius.
        inside &= (right - x) * np.cos(turn) + (down - y) * np.sin(turn) <= radius * np.cos(np.pi / corners)
    return inside


def _box(name: str, mask: np.ndarray) -> Box:
    from pycocotools import mask as encoder

    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    corners = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    encoded: dict[str, Any] = encoder.encode(np.asfortranarray(mask, dtype=np.uint8))
    segmentation = {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode()}
    return Box(corners, name, segmentation=segmentation, area=float(mask.sum()))
