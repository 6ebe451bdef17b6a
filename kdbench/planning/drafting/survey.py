"""What a dataset is like: numbers of images and boxes, classes, sizes of images and objects."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np

from kdbench.data import Prepared
from kdbench.specs.dataset import SPLITS

FEW = 10
"""Boxes of a class in train below which nothing much is learnt."""


@dataclass(frozen=True)
class Survey:
    """A dataset in figures.

    Attributes:
        images: of each split.
        boxes: likewise, without crowd.
        classes: boxes of each class in train.
        missing: split -> classes without a box in it.
        long_side: median of the longer sides, in pixels.
        aspect: shorter over longer side, the largest of nine in ten images.
        small_object: square root of the area, in shares of the image's longer side, below which a tenth of the boxes lie.
        crowded: boxes of an image, the most of nine in ten images.
    """

    images: dict[str, int]
    boxes: dict[str, int]
    classes: dict[str, int]
    missing: dict[str, tuple[str, ...]]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    long_side: int
    aspect: float
    small_object: float
    median_object: float
    crowded: int
    masks: bool

    def lines(self) -> list[str]:
        """The figures in words, a line each."""
        images = ", ".join(f"{name} {self.images[name]}" for name in SPLITS)
        boxes = ", ".join(f"{name} {self.boxes[name]}" for name in SPLITS)
        (least_wide, least_high), (most_wide, most_high) = self.sizes
        span = f"{least_wide} x {least_high}"
        if self.sizes[0] != self.sizes[1]:
            span += f" to {most_wide} x {most_high}"
        median, small = (round(share * self.long_side) for share in (self.median_object, self.small_object))
        found = [
            f"images: {sum(self.images.values())} ({images}), {span} pixels",
            f"boxes: {sum(self.boxes.values())} ({boxes}); objects are about {median} pixels, a tenth of them below {small}",
            f"classes: {len(self.classes)} ({_counts(self.classes)})",
        ]
        for split, names in self.missing.items():
            found.append(f"no object of {', '.join(names)} in {split}: its figures say nothing about it")
        rare = {name: count for name, count in self.classes.items() if 0 < count < FEW}
        if rare:
            found.append(f"few objects to learn from in train: {_counts(rare)}")
        return found


def survey(data: Prepared) -> Survey:
    """Read the figures off the prepared files."""
    images, boxes, missing = {}, {}, {}
    sizes: list[tuple[int, int]] = []
    sides: list[float] = []
    each: list[int] = []
    in_train: dict[str, int] = {}
    masks = False
    for name in SPLITS:
        content = json.loads(data.splits[name].annotations.read_text(encoding="utf-8"))
        longer = {image["id"]: max(image["width"], image["height"]) for image in content["images"]}
        names = {category["id"]: category["name"] for category in content["categories"]}
        counts: Counter[str] = Counter()
        of_image: Counter[int] = Counter(dict.fromkeys(longer, 0))
        for item in content["annotations"]:
            if item["iscrowd"]:
                continue
            counts[names[item["category_id"]]] += 1
            of_image[item["image_id"]] += 1
            _, _, width, height = item["bbox"]
            sides.append(max(width * height, 0.0) ** 0.5 / longer[item["image_id"]])
            masks = masks or bool(item.get("segmentation"))
        sizes += [(image["width"], image["height"]) for image in content["images"]]
        each += list(of_image.values())
        images[name], boxes[name] = len(longer), sum(counts.values())
        absent = tuple(own for own in data.classes if not counts[own])
        if absent:
            missing[name] = absent
        if name == "train":
            in_train = {own: counts[own] for own in data.classes}
    long_sides = np.array([max(size) for size in sizes])
    aspects = np.array([min(size) / max(size) for size in sizes])
    by_area = sorted(set(sizes), key=lambda size: size[0] * size[1])
    return Survey(
        images,
        boxes,
        in_train,
        missing,
        (by_area[0], by_area[-1]),
        int(np.median(long_sides)),
        float(np.quantile(aspects, 0.9)),
        float(np.quantile(sides, 0.1)) if sides else 0.1,
        float(np.median(sides)) if sides else 0.1,
        int(np.quantile(each, 0.9)) if each else 0,
        masks,
    )


def _counts(counts: dict[str, int], most: int = 12) -> str:
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:most])
    return shown + (f" and {len(counts) - most} more" if len(counts) > most else "")
