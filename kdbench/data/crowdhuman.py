"""CrowdHuman's annotation files (odgt): one JSON object a line, one line an image.

A line has `ID`, the image's name without its suffix, and `gtboxes`. Of a box count its `tag`, its full body `fbox`, the
visible part `vbox` (x, y, width, height in pixels; a full body may leave the image) and `extra.ignore`. A person that
is marked to be ignored, and every box with another tag than `person` (`mask`: a crowd, a reflection, a picture), is a
region to ignore: it becomes crowd, which mmdet loads as `gt_bboxes_ignore`.

Nothing is clipped or dropped, because CrowdHuman's metrics clip in their own way and count every person; what mmdet
leaves out of training by itself (boxes without area, or outside their image) is counted.

Reference: Shao et al., CrowdHuman: A Benchmark for Detecting Human in a Crowd, arXiv 1805.00123.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdbench.data.coco import annotation_file, check_some, image_folder, sources
from kdbench.data.images import image_size
from kdbench.data.raw import Box, Image, RawSplit
from kdbench.errors import InputError
from kdbench.specs.dataset import PERSON, DatasetSpec, SplitSpec

__all__ = ["read", "sources"]

KEYS = {"full": "fbox", "visible": "vbox"}
SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG")
TAGS = (*PERSON, "mask")
WORDS: dict[type[Any], str] = {str: "a text", list: "a list", dict: "an object"}


def read(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    """Read a split's images and boxes.

    Raises:
        InputError: the file is missing or broken (names the line), or none of its images is there; CrowdHuman has no
            instance masks.
    """
    if spec.masks:
        raise InputError(f"dataset {spec.name}: CrowdHuman has boxes only; set 'masks: false', or use a coco dataset")
    path, folder = annotation_file(split, root), image_folder(split, root)
    raw = RawSplit(folder, [], names=PERSON, as_annotated=True)
    for where, entry in _entries(path):
        boxes = [
            _box(item, KEYS[spec.boxes], f"{where}, box {number}", raw.dirt)
            for number, item in enumerate(_of(entry, "gtboxes", list, where), 1)
        ]
        name = _of(entry, "ID", str, where)
        file = next((name + suffix for suffix in SUFFIXES if (folder / (name + suffix)).is_file()), None)
        if file is None:
            raw.dirt["missing"] += 1
        else:
            raw.images.append(Image(file, *_size(entry, folder / file), boxes))
    check_some(raw, path)
    return raw


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's place, for messages, and its content."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path}: line {number}"
            try:
                text = line.decode("utf-8-sig").strip()
                if not text:
                    continue
                entry = json.loads(text)
            except UnicodeDecodeError:
                raise InputError(f"{where}: is not UTF-8 text; restore the file") from None
            except json.JSONDecodeError as error:
                raise InputError(
                    f"{where}, column {error.colno}: broken JSON; each line is one image, the file may be cut"
                ) from None
            if not isinstance(entry, dict):
                raise InputError(f"{where}: is no object; each line is an image with ID and gtboxes")
            yield where, entry


def _of(item: dict[str, Any], key: str, kind: type[Any], where: str) -> Any:
    """The value of a key.

    Raises:
        InputError: it is missing, or of another kind.
    """
    if key not in item:
        raise InputError(f"{where}: has no '{key}'; correct the line, or fetch the odgt file again")
    if not isinstance(item[key], kind):
        raise InputError(f"{where}: '{key}' is {item[key]!r:.40} and not {WORDS[kind]}; correct the line")
    return item[key]


def _box(item: Any, key: str, where: str, dirt: Counter[str]) -> Box:
    """A person or a region to ignore; a side that is no number becomes NaN, which cleaning drops and counts."""
    if not isinstance(item, dict):
        raise InputError(f"{where}: is no object; correct the line")
    tag = _of(item, "tag", str, where)
    if tag == "background":
        # The reference would ignore such a box where it matches and look for it where it counts.
        raise InputError(f"{where}: tag 'background' means nothing here; use 'mask' for a region to ignore")
    sides = _of(item, key, list, where)
    extra = _of(item, "extra", dict, where) if item.get("extra") is not None else {}
    dirt["strange"] += tag not in TAGS
    ignored = tag not in PERSON or extra.get("ignore", 0) != 0
    return Box(_corners(sides), PERSON[0], crowd=ignored)


def _corners(sides: list[Any]) -> tuple[float, float, float, float]:
    try:
        left, top, width, height = (float(side) for side in sides)
    except (TypeError, ValueError):
        left = top = width = height = math.nan
    return (left, top, left + width, top + height)


def _size(entry: dict[str, Any], file: Path) -> tuple[int, int]:
    """Width and height: the published files have none, some copies do."""
    sides = entry.get("width"), entry.get("height")
    if all(isinstance(side, int) and side >= 1 for side in sides):
        return sides  # type: ignore[return-value]
    return image_size(file)
