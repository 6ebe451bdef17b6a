"""Between reading and cleaning: every image file is looked at, what cannot be used is left out, sizes are put right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kdbench.data.findings import Finding, look
from kdbench.data.fitting import DONE, fit
from kdbench.data.raw import RawSplit
from kdbench.errors import InputError

NAMED = 5
"""So many unreadable images a message names."""


@dataclass(frozen=True)
class Usable:
    """The images of a dataset that can be used.

    Attributes:
        raw: the splits, with the sizes and boxes of the files.
        load: split -> file -> how it is read where that is not as mmdet does: `stored` (EXIF data left alone), `cut`.
        looked: number of image files; `unreadable`: those left out, (file, what it is).
        turned: EXIF data turns a used image, and it is used so.
        shared: "search" and "report" -> how many of their images an earlier split has too.
    """

    raw: dict[str, RawSplit]
    load: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    looked: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    turned: bool = False
    shared: dict[str, int] = field(default_factory=dict)


def paths(raw: Mapping[str, RawSplit]) -> dict[str, list[Path]]:
    """The image files of each split, in order."""
    return {name: [split.folder / image.file for image in split.images] for name, split in raw.items()}


def usable(name: str, raw: dict[str, RawSplit], datasets: Path, root: Path) -> Usable:
    """Look at the files of all splits and use what can be used.

    Args:
        name: the dataset's.
        datasets: the storage's folder, where findings are kept.

    Raises:
        InputError: no image of a split can be read.
    """
    files = paths(raw)
    found = look((file for split in files.values() for file in split), datasets, root)
    result = Usable({}, looked=len(found), shared=_shared(files, found))
    turned = False
    for split, entry in raw.items():
        load, images = {}, []
        bad: dict[str, str] = {}
        noted: set[str] = set()
        for image, file in zip(entry.images, files[split], strict=True):
            finding = found[file]
            if finding.problem:
                if image.file not in bad:
                    entry.tell("unreadable", image.file, "", f"{finding.problem}: left out")
                bad[image.file] = finding.problem
                continue
            fitted = fit(image, finding, inside=not (entry.as_annotated or image.shares))
            # A file that is listed twice has its faults once; cleaning counts that it is.
            for key, detail in fitted.dirt if image.file not in noted else ():
                entry.tell(key, image.file, "", f"{DONE[key]} ({detail})" if detail else DONE[key])
            noted.add(image.file)
            how = {key: True for key, is_so in (("stored", fitted.stored), ("cut", finding.cut)) if is_so}
            if how:
                load[image.file] = how
            turned |= finding.orientation != 1 and not fitted.stored
            images.append(fitted.image)
        if bad and not images:
            raise InputError(
                f"dataset {name}, split {split}: none of its {len(bad)} images can be read: {named(bad)}; restore the files"
            )
        result.raw[split] = replace(entry, images=images)
        result.load[split] = load
        result.unreadable.update(bad)
    return replace(result, turned=turned)


def named(bad: Mapping[str, str]) -> str:
    """The first unreadable images with what they are."""
    first = [f"{file} {what}" for file, what in list(bad.items())[:NAMED]]
    return "; ".join(first) + (f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else "")


def _shared(files: Mapping[str, list[Path]], found: Mapping[Path, Finding]) -> dict[str, int]:
    """By content: a copy under another name is the same image."""
    seen: set[str] = set()
    shared = {}
    for split, listed in files.items():
        own = {found[file].digest or str(file) for file in listed if not found[file].problem}
        if own & seen:
            shared[split] = len(own & seen)
        seen |= own
    return shared
