"""YOLO's folders: a data.yaml, or label files with a list of class names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kdbench.data.reading.text import decode, read_bytes
from kdbench.errors import InputError
from kdbench.planning.drafting.layout import Layout, below, folders, images_of, split_of
from kdbench.specs.base import load_yaml
from kdbench.specs.dataset import SPLITS

NAMES = ("classes.txt", "obj.names", "classes.names", "labels.txt")
"""Files that list class names, a line each."""


def find(root: Path) -> Layout | None:
    """What a data.yaml of the folder names; None where there is none.

    Raises:
        InputError: a data.yaml that says less than it must, or names what is not there.
    """
    for place, names in folders(root):
        for name in names:
            if name.lower().endswith((".yaml", ".yml")) and (content := _data_yaml(place / name)) is not None:
                return _from_yaml(place / name, content, root)
    return None


def _data_yaml(path: Path) -> dict[str, Any] | None:
    try:
        content = load_yaml(path)
    except InputError:
        if path.name.lower() in ("data.yaml", "data.yml", "dataset.yaml"):
            raise
        return None
    if not isinstance(content, dict) or "names" not in content or not {"train", "val", "test"} & content.keys():
        return None
    return content


def _from_yaml(path: Path, content: dict[str, Any], root: Path) -> Layout:
    names = content["names"]
    if isinstance(names, dict):
        try:
            numbered = {int(number): str(name) for number, name in names.items()}
        except (TypeError, ValueError):
            raise InputError(f"{path}: key 'names': give a list, or numbers from 0 with names") from None
        if sorted(numbered) != list(range(len(numbered))):
            raise InputError(f"{path}: key 'names': the numbers have to go from 0 to {len(numbered) - 1} without a gap")
        names = [numbered[number] for number in range(len(numbered))]
    if not isinstance(names, list) or not names:
        raise InputError(f"{path}: key 'names': give the list of classes")
    classes = tuple(str(name) for name in names)
    notes = []
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        notes.append(
            f"{path.name} has names that YAML takes for no text ({', '.join(map(repr, odd[:5]))}): put them in quotes"
        )
    keypoints = content.get("kpt_shape")
    if isinstance(keypoints, list) and len(keypoints) == 2 and keypoints[1] == 2:
        raise InputError(
            f"{path}: has pose labels whose keypoints are two numbers each, which cannot be told from polygons; write labels "
            "of boxes (the first five numbers of each line)"
        )
    if "nc" in content and content["nc"] != len(classes):
        notes.append(f"{path.name} says nc {content['nc']} and has {len(classes)} names: the names count")
    base = path.parent
    given = content.get("path")
    if isinstance(given, str) and (base / given).is_dir():
        base = base / given
    splits = {}
    for key, split in (("train", "train"), ("val", "search"), ("valid", "search"), ("test", "report")):
        entry = content.get(key)
        if entry in (None, "", []) or split in splits:
            continue
        found = _place(entry, base, root, path, key)
        if found is None:
            notes.append(f"{path.name} names {entry!r} for {key}, which is not there: left aside")
        else:
            splits[split] = {"images": below(found, root)}
    if not splits:
        raise InputError(f"{path}: none of its train, val and test is there; correct the paths")
    return Layout(
        "yolo",
        f"YOLO ({path.name}: {', '.join(str(split['images']) for split in splits.values())})",
        splits,
        classes,
        notes,
    )


def _place(entry: Any, base: Path, root: Path, path: Path, key: str) -> Path | None:
    """What a split's entry names: from the file on, from the folder on, or by its tail where another machine wrote it."""
    if isinstance(entry, list):
        if len(entry) != 1:
            raise InputError(
                f"{path}: key '{key}': has {len(entry)} places, a split has one; list the images in one .txt file"
            )
        entry = entry[0]
    text = str(entry).replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".", "..")]
    tails = [Path(*parts[start:]) for start in range(len(parts))]
    for candidate in (base / text, root / text, *(place / tail for tail in tails for place in (base, root))):
        candidate = Path(os.path.normpath(candidate))
        if candidate.is_relative_to(root) and candidate.exists():
            inner = candidate / "images"
            # Label files lie in labels/ beside images/; an entry may name the folder above both.
            own = candidate.is_file() or any(
                images_of(names) for place, names in folders(candidate) if place == candidate
            )
            return inner if not own and inner.is_dir() else candidate
    return None


def find_labels(root: Path) -> Layout | None:
    """Label files with a list of names, as labelImg and Label Studio write them; None where there are none.

    Raises:
        InputError: label files, and nowhere the names of their classes.
    """
    listed = next(((place, name) for place, names in folders(root) for name in names if name in NAMES), None)
    texts = {place: {os.path.splitext(n)[0] for n in names if n.endswith(".txt")} for place, names in folders(root)}
    labelled = [
        place
        for place, names in folders(root)
        if (stems := {os.path.splitext(name)[0] for name in images_of(names)}) and _twins(stems, place, texts)
    ]
    if not labelled:
        return None
    if listed is None:
        raise InputError(
            f"{root}: has label files in YOLO's format and no names of classes; write them into data.yaml or classes.txt"
        )
    text = decode(read_bytes(listed[0] / listed[1]), listed[0] / listed[1])
    classes = tuple(line.strip() for line in text.splitlines() if line.strip())
    splits: dict[str, dict[str, Any]] = {}
    for place in labelled:
        split = split_of(below(place, root)) or "train"
        if split in splits:
            splits[split] = {"images": os.path.commonpath([str(splits[split]["images"]), below(place, root)]) or "."}
        else:
            splits[split] = {"images": below(place, root)}
    splits = {split: splits[split] for split in SPLITS if split in splits}
    return Layout(
        "yolo", f"YOLO ({listed[1]}: {', '.join(str(split['images']) for split in splits.values())})", splits, classes
    )


def _twins(stems: set[str], place: Path, texts: dict[Path, set[str]]) -> bool:
    """Whether images of a folder have label files, beside them or where labels/ stands in place of images/."""
    parts = place.parts
    beside = [place]
    for number, part in enumerate(parts):
        if part.lower() in ("images", "jpegimages"):
            beside.append(Path(*parts[:number], "labels", *parts[number + 1 :]))
    return any(stems & texts.get(folder, set()) for folder in beside)
