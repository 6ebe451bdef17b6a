"""XML files in a folder: VOC's own folders with lists, or XML beside images under any names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kdbench.planning.drafting.layout import Layout, below, folders, images_of, split_of
from kdbench.specs.dataset import SPLITS

NEEDED = ("Annotations", "ImageSets/Main", "JPEGImages")
NAMES = {"train": ("train", "trainval", "default"), "search": ("val", "valid"), "report": ("test",)}
"""Lists of VOC's folders that are taken for each split, the first that is there."""


def find(root: Path) -> Layout | None:
    """The XML annotations of a folder; None where there are none."""
    return _with_lists(root) or _beside(root)


def _with_lists(root: Path) -> Layout | None:
    splits: dict[str, list[str]] = {}
    notes: list[str] = []
    years = [place for place, _ in folders(root) if all((place / needed).is_dir() for needed in NEEDED)]
    for year in years:
        prefix = "" if year == root else f"{below(year, root)}/"
        lists = {path.stem for path in sorted((year / "ImageSets" / "Main").glob("*.txt"))}
        known = {name for names in NAMES.values() for name in names}
        chosen = {split: next((name for name in names if name in lists), None) for split, names in NAMES.items()}
        if chosen["train"] is None and chosen["search"] is None and chosen["report"] is None and len(lists) == 1:
            chosen["train"] = next(iter(lists))
        for split, name in chosen.items():
            if name is not None:
                splits.setdefault(split, []).append(f"{prefix}{name}")
        # train and val are parts of trainval; lists of one class are parts of the others.
        aside = sorted(lists - known - {name for name in chosen.values() if name} - _of_classes(lists))
        if aside:
            notes.append(f"lists of {prefix or 'ImageSets/Main'} that were left aside: {', '.join(aside)}")
    if not splits:
        return None
    found: dict[str, dict[str, Any]] = {split: {"image_sets": names} for split, names in splits.items()}
    shown = ", ".join(name for split in found.values() for name in split["image_sets"])
    return Layout("voc", f"VOC with lists ({shown})", found, notes=notes)


def _of_classes(lists: set[str]) -> set[str]:
    return {name for name in lists if name.rpartition("_")[2] in ("train", "val", "trainval", "test")}


def _beside(root: Path) -> Layout | None:
    places = {place: images_of(names) for place, names in folders(root)}
    having = {place: names for place, names in places.items() if names}
    annotated = {place: stems for place, names in folders(root) if (stems := _annotations(place, names))}
    if not annotated:
        return None
    by_split: dict[str, list[Path]] = {}
    for place in annotated:
        by_split.setdefault(split_of(below(place, root)) or "train", []).append(place)
    splits = {}
    for split, of_split in sorted(by_split.items(), key=lambda item: SPLITS.index(item[0])):
        # Readers look below a folder too: several folders of one split are read as one.
        place = Path(os.path.commonpath(of_split))
        stems = {stem for folder in of_split for stem in annotated[folder]}
        fitting = {
            folder: len(stems & {os.path.splitext(name)[0] for name in names}) for folder, names in having.items()
        }
        # Splits may name their images alike: the folder of the XML itself, or of the same split, comes first.
        likely = [(_likeness(folder, fitting, of_split, root), folder) for folder in fitting]
        best = max(likely, key=lambda pair: pair[0])[1] if likely else root
        if len(of_split) > 1 or not fitting.get(best):
            common = [folder for folder, count in fitting.items() if count] or list(having) or [root]
            best = Path(os.path.commonpath(common))
        splits[split] = {"annotations": below(place, root), "images": below(best, root)}
    shown = ", ".join(_shown(split) for split in splits.values())
    return Layout("voc", f"XML files in VOC's format ({shown})", splits)


def _shown(split: dict[str, Any]) -> str:
    xml, images = (f"{split[key]}/".replace("./", "the folder itself") for key in ("annotations", "images"))
    return f"{xml}, beside the images" if xml == images else f"{xml} with images in {images}"


def _likeness(folder: Path, fitting: dict[Path, int], annotated: list[Path], root: Path) -> tuple[int, bool, bool]:
    """How likely a folder has the images of folders of XML."""
    same = split_of(below(folder, root)) == split_of(below(annotated[0], root))
    return fitting[folder], folder in annotated, same


def _annotations(place: Path, names: list[str]) -> set[str]:
    """Stems of a folder's XML files; none where the first of them are no annotations."""
    files = [name for name in names if name.lower().endswith(".xml")]
    for name in files[:5]:
        try:
            with open(place / name, "rb") as file:
                start = file.read(2048)
        except OSError:
            continue
        if b"annotation" in start.replace(b"\0", b"").lower():
            return {os.path.splitext(name)[0] for name in files}
    return set()
