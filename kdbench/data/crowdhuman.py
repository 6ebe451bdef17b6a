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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdbench.data.coco import annotation_file, check_some, image_folder, sources
from kdbench.data.raw import Box, Image, RawSplit, put_together
from kdbench.data.reading.finding import Files, NotFound
from kdbench.data.reading.text import decode, read_bytes
from kdbench.data.reading.values import flag, sides, whole
from kdbench.errors import InputError
from kdbench.specs.dataset import PERSON, DatasetSpec, SplitSpec

__all__ = ["read", "sources"]

KEYS = {"full": "fbox", "visible": "vbox"}
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
    files = Files(folder)
    raw = RawSplit(folder, [], names=PERSON, as_annotated=True)
    for where, entry in _entries(path):
        items, name = _of(entry, "gtboxes", list, where), _of(entry, "ID", str, where)
        try:
            found = files.of_stem(name)
        except NotFound as error:
            raise InputError(f"{where}: {error}") from None
        file = found.file if found else name
        boxes = [
            _box(item, KEYS[spec.boxes], f"{where}, box {number}", f"box {number}", file, raw)
            for number, item in enumerate(items, 1)
        ]
        if found is None:
            raw.tell("missing", name, "", f"no such file in {folder.name}/: skipped")
            continue
        if found.mended:
            raw.tell("renamed", file, "", f"{found.mended}, listed as {name!r}")
        width, height = whole(entry.get("width")), whole(entry.get("height"))
        raw.images.append(Image(file, *((width, height) if width and height else (0, 0)), boxes))
    check_some(raw, path)
    put_together(raw)
    return raw


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's place, for messages, and its content."""
    for number, line in enumerate(decode(read_bytes(path), path).split("\n"), 1):
        where = f"{path}: line {number}"
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where}, column {error.colno}: broken JSON; each line is one image, the file may be cut"
            ) from None
        except (RecursionError, ValueError):
            raise InputError(f"{where}: is nested too deep, or has a number too long; each line is one image") from None
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


def _box(item: Any, key: str, where: str, label: str, file: str, raw: RawSplit) -> Box:
    """A person or a region to ignore; a side that is no number becomes NaN, which cleaning drops and counts."""
    if not isinstance(item, dict):
        raise InputError(f"{where}: is no object; correct the line")
    tag = _of(item, "tag", str, where)
    if tag == "background":
        # The reference would ignore such a box where it matches and look for it where it counts.
        raise InputError(f"{where}: tag 'background' means nothing here; use 'mask' for a region to ignore")
    (left, top, width, height), odd = sides(_of(item, key, list, where))
    if odd:
        raw.tell("reshaped", file, label, f"{key} {item[key]!r:.60} read as four numbers")
    extra = _of(item, "extra", dict, where) if item.get("extra") is not None else {}
    if tag not in TAGS:
        raw.tell("strange", file, label, f"tag {tag!r:.40}: ignored")
    try:
        ignored = tag not in PERSON or flag(extra.get("ignore"))
    except ValueError as error:
        raise InputError(f"{where}: 'ignore' is {extra['ignore']!r:.40}, which {error}; correct the line") from None
    return Box((left, top, left + width, top + height), PERSON[0], crowd=ignored, label=label)
