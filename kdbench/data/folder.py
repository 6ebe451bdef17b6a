"""The folder of prepared data, `datasets/<name>-<hash>/`: a manifest, a COCO file for each split, what was wrong."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.data import problems
from kdbench.errors import InputError
from kdbench.specs.dataset import SPLITS

MANIFEST = "prepared.json"


@dataclass(frozen=True)
class SplitFiles:
    """Where a split lies, and how large it is."""

    annotations: Path
    images: Path
    num_images: int
    num_boxes: int


@dataclass(frozen=True)
class Prepared:
    """A dataset ready for mmdet's CocoDataset.

    Attributes:
        notes: what cleaning did, in one line; empty when the data was clean.
        masks: instance masks are in the annotation files.
        content: identity of the cleaned annotations, wherever they lie; "" where an older kdbench prepared them.
        looked: number of image files that were looked at; `unreadable` of them were left out, `first_unreadable` names some.
        unturned: EXIF data is left alone, as all annotations of the dataset fit so.
        shared: "search" and "report" -> how many of their images an earlier split has too.
    """

    name: str
    classes: tuple[str, ...]
    hash: str
    folder: Path
    splits: dict[str, SplitFiles]
    notes: str = ""
    masks: bool = False
    content: str = ""
    looked: int = 0
    unreadable: int = 0
    first_unreadable: str = ""
    unturned: bool = False
    shared: dict[str, int] = field(default_factory=dict)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was done to the data, and what its figures are not; the same wherever the data is prepared."""
        told = [self.notes] if self.notes else []
        if self.shared:
            of = [
                f"{count} of {self.splits[split].num_images} images of the {split} split"
                for split, count in self.shared.items()
            ]
            told.append(
                f"{' and '.join(of)} are in an earlier split too, so those figures are not of images that no training has seen"
            )
        return tuple(told)

    @property
    def lines(self) -> tuple[str, ...]:
        """The remarks as a user is told them: with the file that has the details."""
        place = f" (each in {self.folder / problems.FILE})"
        return tuple(remark + (place if remark == self.notes else "") for remark in self.remarks)

    @property
    def unreadable_share(self) -> str:
        """The least --max-bad that lets the data pass, as a percentage."""
        return f"{math.ceil(100 * self.unreadable / self.looked)}%" if self.looked else "0%"

    def check_content(self, known: str, study: str) -> None:
        """Refuse data that is not what a study began with; an identity that is not known is no reason.

        Raises:
            InputError: the annotations differ.
        """
        if known and self.content and known != self.content:
            raise InputError(
                f"study {study}: the annotations of dataset {self.name} have changed since it began, so its trials could not be "
                "compared; put them back, or begin a new study"
            )

    def check_readable(self, max_bad: float) -> None:
        """Refuse data of which more than a share cannot be read.

        Raises:
            InputError: names the first images.
        """
        if self.unreadable > max_bad * self.looked:
            raise InputError(
                f"dataset {self.name}: {self.unreadable} of {self.looked} images cannot be read: {self.first_unreadable}; "
                f"restore them, or go on without them by --max-bad {self.unreadable_share} "
                f"(all are in {self.folder / problems.FILE})"
            )


def read_prepared(folder: Path) -> Prepared:
    """Read a prepared dataset back; its paths are absolute.

    Raises:
        InputError: there is none, or its manifest is broken.
    """
    folder = folder.absolute()
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except OSError as error:
        raise InputError(f"{folder / MANIFEST}: cannot be read ({error.strerror}); check --storage") from None
    except ValueError:
        raise InputError(f"{folder / MANIFEST}: broken JSON; remove that folder, it is made again") from None
    splits = {
        name: SplitFiles(folder / f"{name}.json", folder / split["images"], split["num_images"], split["num_boxes"])
        for name, split in content["splits"].items()
    }
    images: dict[str, Any] = content.get("images", {})
    return Prepared(
        content["name"],
        tuple(content["classes"]),
        content["hash"],
        folder,
        splits,
        content["notes"],
        content["masks"],
        content.get("content", ""),
        **{
            key: images[key]
            for key in ("looked", "unreadable", "first_unreadable", "unturned", "shared")
            if key in images
        },
    )


def read_by_kdbench(data: Prepared, split: str) -> list[str]:
    """The images of a split that plain mmdet does not read as kdbench does: cut ones, and some that EXIF data turns."""
    content = json.loads(data.splits[split].annotations.read_text())
    return [
        str(entry["file_name"])
        for entry in content["images"]
        if (how := entry.get("load")) and (how.get("cut") or not data.unturned)
    ]


def is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (MANIFEST, *(f"{split}.json" for split in SPLITS)))
