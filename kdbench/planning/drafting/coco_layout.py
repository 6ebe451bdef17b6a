"""COCO files in a folder: Roboflow's a split, CVAT's, Label Studio's and COCO's own, or one for everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.data.reading.foreign import tool_of
from kdbench.data.reading.json_file import read_json
from kdbench.errors import InputError
from kdbench.planning.drafting.layout import Layout, below, folders, images_of, split_of
from kdbench.specs.dataset import SPLITS

KEYS = ("images", "annotations", "categories")
ASIDE = ("captions_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")
"""COCO's own files that hold no boxes of all classes."""
LOOKED_AT = 50
"""Images of a file that are looked for, to find their folder."""


def find(root: Path) -> Layout | None:
    """The COCO files of a folder; None where there is none.

    Raises:
        InputError: two files for one split; names both.
    """
    having = [place for place, names in folders(root) if images_of(names)]
    files: dict[str, tuple[Path, str]] = {}
    for place, names in folders(root):
        for name in names:
            path = place / name
            if path.suffix.lower() != ".json" or name.startswith(ASIDE):
                continue
            content = _coco(path)
            if content is None:
                continue
            split = split_of(below(path, root)) or "train"
            if split in files:
                raise InputError(
                    f"{root}: {below(files[split][0], root)} and {below(path, root)} both look like the {split} split in COCO's format; "
                    "move one elsewhere, or write the task by hand"
                )
            files[split] = (path, _images(content, path, root, having))
    if not files:
        return None
    splits = {
        split: {"annotations": below(files[split][0], root), "images": files[split][1]}
        for split in SPLITS
        if split in files
    }
    count = "one COCO file" if len(files) == 1 else f"{len(files)} COCO files"
    return Layout("coco", f"{count} ({', '.join(str(split['annotations']) for split in splits.values())})", splits)


def hint(root: Path) -> str:
    """What tool wrote the JSON of a folder that is not COCO's, and what to do; empty where that is not known."""
    for place, names in folders(root):
        for name in names:
            if name.lower().endswith(".json"):
                try:
                    found = tool_of(read_json(place / name))
                except InputError:
                    continue
                if found:
                    return f" ({name}{found.replace(';', ':', 1)})"
    return ""


def _coco(path: Path) -> dict[str, Any] | None:
    """The content of a COCO file; None for any other."""
    try:
        content = read_json(path)
    except InputError:
        # Broken JSON that may be the annotations is not passed over.
        with open(path, "rb") as file:
            start = file.read(4096)
        if any(f"{quote}{key}{quote}".encode() in start for key in KEYS for quote in "\"'"):
            raise
        return None
    # That one of them is no list is said by the reader, which takes some of what tools write there.
    return content if isinstance(content, dict) and all(key in content for key in KEYS) else None


def _images(content: dict[str, Any], path: Path, root: Path, having: list[Path]) -> str:
    """The folder in which most of a file's images lie, under the names that they are listed with."""
    entries = content["images"]
    entries = list(entries.values()) if isinstance(entries, dict) else entries if isinstance(entries, list) else []
    listed = [str(item.get("file_name", "")) for item in entries if isinstance(item, dict)][:LOOKED_AT]
    names = [name.replace("\\", "/") for name in listed]
    leaves = [name.rpartition("/")[2] for name in names]
    places = list(dict.fromkeys([path.parent, root, *having]))
    counts = {place: sum(_there(place, name) for name in names) for place in places}
    if not any(counts.values()):
        counts = {place: sum(_there(place, name) for name in leaves) for place in places}
    # Splits may name their images alike: the file's own folder comes first, then one that is called like the file.
    best = max(places, key=lambda place: (counts[place], place == path.parent, *_alike(place, path, root)))
    if not counts[best] and having:
        best = having[0] if len(having) == 1 else root
    return below(best, root)


def _alike(place: Path, path: Path, root: Path) -> tuple[bool, bool]:
    """Whether a folder's name stands in the file's, and whether both mean the same split."""
    return place != root and place.name in path.stem, split_of(below(place, root)) == split_of(below(path, root))


def _there(place: Path, name: str) -> bool:
    try:
        return bool(name) and (place / name).is_file()
    except (OSError, ValueError):
        return False
