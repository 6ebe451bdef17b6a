"""The dataset of a draft: its keys in a task, and a look at the data behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.data import prepare
from kdbench.data.prepared import READERS, classes_of
from kdbench.errors import InputError
from kdbench.planning.drafting.draft import Draft
from kdbench.planning.drafting.layout import Layout
from kdbench.planning.drafting.survey import Survey, survey
from kdbench.planning.telling import lines
from kdbench.specs.dataset import SPLITS, DatasetSpec, SplitSpec
from kdbench.specs.limits import MAX_BAD


def with_objects(
    layout: Layout, root: Path, name: str, notes: list[str]
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """The splits that have an object at all, and the classes: exports have empty splits, and test images that nobody annotated.

    Raises:
        InputError: none of them has.
    """
    kept: dict[str, dict[str, Any]] = {}
    classes: dict[str, tuple[str, ...]] = {}
    trouble = ""
    for split, keys in layout.splits.items():
        alone = {**keys_of(layout.kind, name, layout.classes, {}), "train": keys}
        spec = DatasetSpec.parse({**alone, "search": {"cut": 1}, "report": {"cut": 1}}, str(root))
        try:
            raw = READERS[layout.kind].read(spec, SplitSpec.parse(keys, str(root)), root)
        except InputError as error:
            # Of a split beside train that cannot be read, train may do without; of train itself nothing may be left.
            if split == "train":
                raise
            notes.append(f"the {split} split is left aside: {error}")
            continue
        boxes = sum(not box.crowd for image in raw.images for box in image.boxes)
        if boxes:
            kept[split], classes[split] = keys, classes_of(raw)
        else:
            crowd = sum(len(image.boxes) for image in raw.images)
            all_of_it = f" ({crowd} boxes, all crowd or difficult)" if crowd else " (no box)"
            trouble = f"the {split} split has {len(raw.images)} images and no object that can be used{all_of_it}"
            notes.append(f"{trouble}: left aside")
    if not kept:
        raise InputError(f"{root}: {trouble or 'has no split that can be read'}; check the annotations ({layout.what})")
    kept = {split: kept[split] for split in SPLITS if split in kept}
    first = next(iter(kept))
    if first != "train":
        notes.append(f"there is no train split: {first} is cut in three")
    return kept, layout.classes or classes[first]


def keys_of(kind: str, name: str, classes: tuple[str, ...] | None, splits: dict[str, Any]) -> dict[str, Any]:
    """What a task says of a dataset; cuts are stratified over the classes."""
    cut = {"cut_by": "classes"} if any("cut" in split for split in splits.values()) else {}
    return {"kind": kind, "name": name, "classes": list(classes or ()) or None, **splits, **cut}


def look(
    draft: Draft,
    dataset: dict[str, Any],
    what: str,
    storage: Path,
    root: Path,
    max_bad: float,
    say: Callable[[str], None],
) -> Survey:
    """Prepare the data, as a search will find it. What is there is said, and written into the draft.

    Args:
        what: how the data lies there, in words.
        max_bad: the share of images that may be unreadable.

    Raises:
        InputError: it cannot be used, or more images than that cannot be read.
    """
    data = prepare(DatasetSpec.parse(dataset, str(root)), storage, root, max_bad)
    found = survey(data)
    for line in (f"{root}: {what}", *found.lines(), *lines([data], [])):
        say(line)
    draft.found += [f"{line}." for line in (*found.lines(), *(f"data: {remark}" for remark in data.remarks))]
    if data.unreadable > MAX_BAD * data.looked:
        draft.options += f" --max-bad {data.unreadable_share}"
    return found
