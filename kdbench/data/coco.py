"""Annotation files in COCO's JSON format: COCO itself and any dataset of one's own."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from kdbench.data.images import image_size
from kdbench.data.raw import Box, Image, RawSplit
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec, SplitSpec


def sources(spec: DatasetSpec, root: Path) -> list[Path]:
    """The files that the dataset is made of, to see whether it has changed."""
    return [annotation_file(split, root) for split in (spec.train, spec.search, spec.report) if split.annotations]


def read(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    """Read a split's images and boxes.

    Raises:
        InputError: the file is missing, cut in half, or not in COCO's format.
    """
    path = annotation_file(split, root)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        place = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "not text"
        raise InputError(f"{path}: broken JSON ({place}); the file may be cut, fetch or write it again") from None
    folder = image_folder(split, root)
    try:
        raw = _parse(content, folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: is not in COCO's format (missing or wrong: {error}); it needs images, annotations, categories"
        ) from None
    check_some(raw, path)
    return raw


def annotation_file(split: SplitSpec, root: Path) -> Path:
    """The annotation file of a split.

    Raises:
        InputError: it is not there.
    """
    path = root / str(split.annotations)
    if not path.is_file():
        raise InputError(f"--data-root {root}: has no {split.annotations}; give the folder that has it")
    return path


def image_folder(split: SplitSpec, root: Path) -> Path:
    """The image folder of a split.

    Raises:
        InputError: it is not there.
    """
    folder = root / (split.images or "")
    if not folder.is_dir():
        raise InputError(f"--data-root {root}: has no image folder {split.images}; check the data root and 'images'")
    return folder


def check_some(raw: RawSplit, path: Path) -> None:
    """See that the images of an annotation file lie in its image folder.

    Raises:
        InputError: not one of them does.
    """
    if raw.dirt["missing"] and not raw.images:
        raise InputError(
            f"{path}: none of its {raw.dirt['missing']} images lies in {raw.folder}; check the data root and 'images'"
        )


def _parse(content: dict[str, Any], folder: Path) -> RawSplit:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    dirt: Counter[str] = Counter()
    by_image: dict[Any, list[Box]] = defaultdict(list)
    seen: dict[Any, dict[str, Any]] = {}
    for item in content["annotations"]:
        key = item.get("id")
        if key is not None and key in seen:
            # Hand-merged files number from 1 again: the id says nothing then, only the content does.
            same = seen[key] == item
            dirt["twice" if same else "renumbered"] += 1
            if same:
                continue
        seen.setdefault(key, item)
        by_image[item["image_id"]].append(_box(item, names))
    images: dict[Any, Image] = {}
    listed: set[Any] = set()
    for entry in content["images"]:
        key, file = entry["id"], str(entry["file_name"])
        if key in listed:
            dirt["repeated"] += 1
            continue
        listed.add(key)
        if not (folder / file).is_file():
            dirt["missing"] += 1
            continue
        width, height = int(entry.get("width") or 0), int(entry.get("height") or 0)
        if width < 1 or height < 1:
            width, height = image_size(folder / file)
        images[key] = Image(file, width, height, by_image[key])
    dirt["orphans"] += sum(len(boxes) for key, boxes in by_image.items() if key not in listed)
    order = tuple(dict.fromkeys(names[key] for key in sorted(names)))
    return RawSplit(folder, list(images.values()), names=order, dirt=dirt)


def _box(item: dict[str, Any], names: dict[Any, str]) -> Box:
    """A box; what is not four numbers becomes NaN, which cleaning drops and counts."""
    try:
        left, top, width, height = (float(side) for side in item["bbox"])
    except (KeyError, TypeError, ValueError):
        left = top = width = height = math.nan
    area = item.get("area")
    return Box(
        (left, top, left + width, top + height),
        names.get(item["category_id"], ""),
        bool(item.get("iscrowd", 0)) or bool(item.get("ignore", 0)),
        item.get("segmentation"),
        float(area) if isinstance(area, int | float) else None,
    )
