"""The dataset of a draft: its keys in a task, and a look at the data behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.data import prepare
from kdbench.planning.drafting.draft import Draft
from kdbench.planning.drafting.layout import Layout
from kdbench.planning.drafting.survey import Survey, survey
from kdbench.planning.telling import lines
from kdbench.specs.dataset import DatasetSpec
from kdbench.specs.limits import MAX_BAD


def keys_of(layout: Layout, name: str, splits: dict[str, Any]) -> dict[str, Any]:
    """What a task says of a dataset; cuts are stratified over the classes."""
    cut = {"cut_by": "classes"} if any("cut" in split for split in splits.values()) else {}
    return {"kind": layout.kind, "name": name, "classes": list(layout.classes or ()) or None, **splits, **cut}


def look(
    draft: Draft,
    dataset: dict[str, Any],
    what: str,
    storage: Path,
    root: Path,
    max_bad: float,
    say: Callable[[str], None],
) -> Survey:
    """Prepare the data, and put its classes into `dataset`. What is found is said, and written into the draft.

    Args:
        what: how the data lies there, in words.
        max_bad: the share of images that may be unreadable.

    Raises:
        InputError: it cannot be used, or more images than that cannot be read.
    """
    data = prepare(DatasetSpec.parse(dataset, str(root)), storage, root, max_bad)
    found = survey(data)
    dataset["classes"] = list(data.classes)
    for line in (f"{root}: {what}", *found.lines(), *lines([data], [])):
        say(line)
    draft.found += [f"{line}." for line in (*found.lines(), *(f"data: {remark}" for remark in data.remarks))]
    if data.unreadable > MAX_BAD * data.looked:
        draft.options += f" --max-bad {data.unreadable_share}"
    return found
