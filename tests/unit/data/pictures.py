"""Image files of every kind for tests, and COCO datasets of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kdbench.specs.dataset import DatasetSpec


def pixels(number: int = 0, width: int = 96, height: int = 64) -> np.ndarray:
    """A smooth picture (H, W, 3) that is no two times the same."""
    stream = np.random.default_rng(number)
    steps = np.cumsum(stream.normal(0, 6, (height, width, 3)), axis=1)
    return (steps + 128).clip(0, 255).astype(np.uint8)


def save(file: Path, number: int = 0, orientation: int = 1, width: int = 96, height: int = 64) -> Path:
    """A picture whose pixels lie `width` by `height`, with EXIF data where it is to be turned."""
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(number, width, height)).save(file, exif=exif)
    return file


def cut(file: Path, share: float = 0.6) -> Path:
    """End a file early."""
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    return file


def coco(root: Path, size: tuple[int, int] = (96, 64), count: int = 9, **more: Any) -> DatasetSpec:
    """Images `im0.jpg`, `im1.jpg`, ... one box each; a third of them each split. `size` is what the file says."""
    for number in range(count):
        if not (root / "images" / f"im{number}.jpg").exists():
            save(root / "images" / f"im{number}.jpg", number)
    splits = ("train", "search", "report")
    for place, name in enumerate(splits):
        numbers = range(place, count, 3)
        images = [{"id": n, "file_name": f"im{n}.jpg", "width": size[0], "height": size[1], **more} for n in numbers]
        boxes = [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [4, 8, 40, 20], "area": 800, "iscrowd": 0}
            for n in numbers
        ]
        content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
        (root / f"{name}.json").write_text(json.dumps(content))
    where = {name: {"annotations": f"{name}.json", "images": "images"} for name in splits}
    return DatasetSpec.parse({"kind": "coco", "name": "own", **where}, "test")
