"""Annotation files in COCO's JSON format: COCO itself and any dataset of one's own."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from kdbench.data.raw import Box, Image, RawSplit
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec, SplitSpec


def sources(spec: DatasetSpec, root: Path) -> list[Path]:
    """The files that the dataset is made of, to see whether it has changed."""
    return [_file(split, root) for split in (spec.train, spec.search, spec.report) if split.annotations]


def read(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    """Read a split's images and boxes.

    Raises:
        InputError: the file is missing, cut in half, or not in COCO's format.
    """
    path = _file(split, root)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        place = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "not text"
        raise InputError(f"{path}: broken JSON ({place}); the file may be cut, fetch or write it again") from None
    folder = root / (split.images or "")
    if not folder.is_dir():
        raise InputError(f"--data-root {root}: has no image folder {split.images}; check the data root and 'images'")
    try:
        return _parse(content, folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: is not in COCO's format (missing or wrong: {error}); it needs images, annotations, categories"
        ) from None


def _parse(content: dict[str, Any], folder: Path) -> RawSplit:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    by_image: dict[Any, list[Box]] = defaultdict(list)
    seen: set[Any] = set()
    for item in content["annotations"]:
        if item.get("id") in seen:
            continue
        seen.add(item.get("id", len(seen)))
        left, top, width, height = (float(side) for side in item["bbox"])
        crowd = bool(item.get("iscrowd", 0)) or bool(item.get("ignore", 0))
        name = names.get(item["category_id"], "")
        box = Box((left, top, left + width, top + height), name, crowd, item.get("segmentation"), item.get("area"))
        by_image[item["image_id"]].append(box)
    images = []
    for entry in content["images"]:
        boxes = by_image.get(entry["id"], [])
        images.append(Image(str(entry["file_name"]), int(entry["width"]), int(entry["height"]), boxes))
    order = tuple(names[key] for key in sorted(names))
    return RawSplit(folder, images, names=order)


def _file(split: SplitSpec, root: Path) -> Path:
    path = root / str(split.annotations)
    if not path.is_file():
        raise InputError(f"--data-root {root}: has no {split.annotations}; give the folder that has it")
    return path
