"""Annotation files in COCO's JSON format: COCO itself and any dataset of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.data.raw import RawSplit
from kdbench.data.reading.coco_file import CocoFile
from kdbench.data.reading.finding import Files
from kdbench.data.reading.foreign import tool_of
from kdbench.data.reading.json_file import read_json
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec, SplitSpec

LISTS = ("images", "annotations", "categories")


def sources(spec: DatasetSpec, root: Path) -> list[Path]:
    """The files that the dataset is made of, to see whether it has changed."""
    return [annotation_file(split, root) for split in (spec.train, spec.search, spec.report) if split.annotations]


def read(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    """Read a split's images and boxes. No image is opened.

    Raises:
        InputError: the file is missing, cut in half, or not in COCO's format; an image's name fits two files, or leads
            out of the image folder; an image id stands for two files.
    """
    path = annotation_file(split, root)
    content = _listed(read_json(path))
    folder = image_folder(split, root)
    _check_format(content, path)
    raw = CocoFile(content, Files(folder, beside=path.parent), path, spec.masks).split()
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
        first = next(file for file, _, what in raw.problems if what.startswith("no such file"))
        there = next(iter(Files(raw.folder).all()), None)
        has = f"the folder has {there!r}" if there else "the folder has no image"
        raise InputError(
            f"{path}: none of its {raw.dirt['missing']} images lies in {raw.folder}; check the data root and 'images' "
            f"(the first is {first!r}, {has})"
        )


def _listed(content: Any) -> Any:
    """The content with lists where MATLAB writes an only entry without one, and pandas an object of entries."""
    if not isinstance(content, dict):
        return content
    content = dict(content)
    for key in LISTS:
        value = content.get(key)
        if isinstance(value, dict) and value:
            entries = all(isinstance(entry, dict) for entry in value.values())
            content[key] = list(value.values()) if entries else [value]
    return content


def _check_format(content: Any, path: Path) -> None:
    """See that there are three lists of objects.

    Raises:
        InputError: there are not; says what tool wrote the file, where that can be seen.
    """
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in LISTS):
        wrong = "is no object" if not isinstance(content, dict) else None
        wrong = wrong or next(
            f"has no '{key}'" if key not in content else f"'{key}' is no list"
            for key in LISTS
            if not isinstance(content.get(key), list)
        )
        raise InputError(
            f"{path}: is not in COCO's format ({wrong}); it needs images, annotations, categories{tool_of(content)}"
        )
    for key in LISTS:
        for place, item in enumerate(content[key]):
            if not isinstance(item, dict):
                raise InputError(
                    f"{path}: is not in COCO's format ({key}[{place}] is {item!r:.40} and no object); correct it"
                )
