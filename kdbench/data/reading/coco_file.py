"""One COCO file being read: ids matched whatever their type, files found, boxes hung on their images."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from kdbench.data.masks import as_coco_writes, bounds
from kdbench.data.raw import Box, Image, RawSplit, put_together
from kdbench.data.reading.finding import Files, Found, NotFound, may_be_one
from kdbench.data.reading.values import Four, around, flag, ident, number, sides, whole
from kdbench.errors import InputError

FILE_KEYS = ("file_name", "path", "coco_url")
"""Where an image's name stands; LVIS has but its address."""
MODES = ("XYXY_ABS", "XYWH_ABS")
"""Detectron2's names for `bbox_mode` 0 and 1."""
LONGEST = 18
"""Digits of an id that may be a number."""


class CocoFile:
    """The three lists of a COCO file, which are known to be lists of objects.

    Args:
        files: the image folder.
        path: the annotation file, for messages.
        masks: instance masks are used, so they are looked at.
    """

    def __init__(self, content: dict[str, Any], files: Files, path: Path, masks: bool = False) -> None:
        self.content, self.files, self.path, self.masks = content, files, path, masks
        self.raw = RawSplit(files.folder, [])
        self.names: dict[Any, str] = {}
        """Class by category id."""
        self.images: dict[Any, Image | None] = {}
        """By image id; None where the file is missing."""
        self.loose: dict[int, Any] | None = None
        """Image ids by the number that their text means, where one alone means it."""

    def split(self) -> RawSplit:
        """Read everything.

        Raises:
            InputError: one line on the first thing that nobody can guess.
        """
        self._categories()
        self._images()
        used = self._annotations()
        self._check_ids()
        self._check_categories(used)
        put_together(self.raw)
        self.raw.names = self._order(used)
        return self.raw

    def _categories(self) -> None:
        for place, entry in enumerate(self.content["categories"]):
            where = f"categories[{place}]"
            key, name = self._id(entry, "id", where), str(self._of(entry, "name", where))
            if self.names.setdefault(key, name) != name:
                raise InputError(
                    f"{self.path}: category id {key!r} is {self.names[key]!r} and {name!r}; nothing says which of them "
                    "a box is, number them apart"
                )

    def _images(self) -> None:
        listed: dict[Any, str] = {}
        first: dict[str, tuple[str, tuple[int, int]]] = {}
        for place, entry in enumerate(self.content["images"]):
            where = f"images[{place}]"
            key = self._id(entry, "id", where)
            name = next((str(entry[k]) for k in FILE_KEYS if entry.get(k) is not None), None)
            if name is None:
                name = str(self._of(entry, "file_name", where))
            found = self._find(name, key)
            file = found.file if found else name
            if key in listed:
                if listed[key] != file:
                    raise InputError(
                        f"{self.path}: image id {key!r} stands for {listed[key]!r} and {file!r}; nothing says whose a box is, "
                        "number the images apart"
                    )
                self.raw.tell("repeated", file, "", "listed twice with one id: the second entry is skipped")
                continue
            listed[key] = file
            if found is None:
                self.images[key] = None
                self.raw.tell("missing", name, "", f"no such file in {self.files.folder.name}/: skipped")
                continue
            if found.mended:
                self.raw.tell("renamed", file, "", f"{found.mended}, listed as {name!r}")
            width, height = whole(entry.get("width")), whole(entry.get("height"))
            size = (width, height) if width and height else (0, 0)
            other, known = first.setdefault(file, (name, size))
            if other != name and not may_be_one(other, name):
                raise InputError(
                    f"{self.path}: {other!r} and {name!r} both lead to {file!r} in {self.files.folder}; set 'images' to the "
                    "folder that their names begin in"
                )
            if known != size and all(known) and all(size):
                raise InputError(
                    f"{self.path}: {file!r} is listed twice, with {known[0]} x {known[1]} and with {size[0]} x {size[1]} "
                    "pixels; correct the entries"
                )
            self.images[key] = image = Image(file, *size)
            self.raw.images.append(image)

    def _annotations(self) -> set[Any]:
        """Hang every box on its image; the ids of the categories that any box has."""
        used: set[Any] = set()
        seen: dict[Any, dict[str, Any]] = {}
        for place, item in enumerate(self.content["annotations"]):
            label = item.get("id")
            if label is None:
                label = f"annotations[{place}]"
            elif type(label) is not int:
                label = self._id(item, "id", f"annotations[{place}]")
            if label in seen:
                # Hand-merged files number from 1 again: the id says nothing then, only the content does.
                file = self._file(ident(item.get("image_id")))
                if seen[label] == item:
                    self.raw.tell("twice", file, label, "given twice: kept once")
                    continue
                self.raw.tell("renumbered", file, label, "another box has the same id: renumbered")
            else:
                seen[label] = item
            key, category = item.get("image_id"), item.get("category_id")
            if type(key) is not int or type(category) is not int or key not in self.images:
                key, category = self._other_ids(item, label)
            used.add(category)
            if key not in self.images:
                self.raw.tell("orphans", f"image_id {key}", label, "no image has that id: skipped")
                continue
            image = self.images[key]
            if image is not None:
                image.boxes.append(self._box(item, category, image, label))
        return used

    def _other_ids(self, item: dict[str, Any], label: Any) -> tuple[Any, Any]:
        """Image and category id that are not both numbers which are listed: 7 is meant by "7", and by "007"."""
        where = f"annotation {label}"
        key, category = self._id(item, "image_id", where), self._id(item, "category_id", where)
        if self.loose is None:
            numbers = [(int(k), k) for k in self.images if _digits(k)]
            times = Counter(number for number, _ in numbers)
            self.loose = {number: k for number, k in numbers if times[number] == 1}
        if key not in self.images and _digits(key):
            key = self.loose.get(int(key), key)
        if key in self.images and type(key) is not type(item["image_id"]):
            what = f"image_id {item['image_id']!r} taken for image {key!r}"
            self.raw.tell("retyped", self._file(key), label, what)
        elif category in self.names and type(category) is not type(item["category_id"]):
            what = f"category_id {item['category_id']!r} taken for category {category!r}"
            self.raw.tell("retyped", self._file(key), label, what)
        return key, category

    def _box(self, item: dict[str, Any], category: Any, image: Image, label: Any) -> Box:
        """A box; what is not four numbers becomes NaN, which cleaning drops and counts."""
        four, odd = sides(item.get("bbox"))
        if odd:
            self.raw.tell("reshaped", image.file, label, f"bbox {item['bbox']!r:.60} read as four numbers")
        more = item.get("attributes")
        turn = number(more.get("rotation", 0)) if isinstance(more, dict) else 0.0
        if math.isfinite(turn) and turn % 180:
            # CVAT's way: the box before it was turned, and the angle.
            four = around(*four, turn)
            self.raw.tell("rotated", image.file, label, f"turned by {turn:g} degrees: the upright box around it")
        area, mask = item.get("area"), item.get("segmentation")
        left, top, width, height = self._whole(four, item, mask, image.file, label)
        if self.masks:
            mask, mended = as_coco_writes(mask)
            if mended:
                self.raw.tell("remasked", image.file, label, mended)
        return Box(
            (left, top, left + width, top + height),
            # An id that no category has is a class that no task has.
            self.names.get(category, f"category_id {category}"),
            self._flag(item, "iscrowd", image.file, label) or self._flag(item, "ignore", image.file, label),
            mask,
            None if area is None else number(area),
            label,
        )

    def _whole(self, four: Four, item: dict[str, Any], mask: Any, file: str, label: Any) -> Four:
        """Left, top and sides that are not negative: in detectron2's mode, turned round, or around the mask without a box."""
        left, top, width, height = four
        mode = item.get("bbox_mode")
        if mode is not None and str(mode).rpartition(".")[2] not in ("0", "1", *MODES):
            raise InputError(
                f"{self.path}: annotation {label}: 'bbox_mode' is {mode!r:.40}; boxes have to be 1 (x, y, width, height) or "
                "0 (x1, y1, x2, y2) in pixels"
            )
        if mode is not None and str(mode).rpartition(".")[2] in ("0", MODES[0]):
            width, height = width - left, height - top
            self.raw.tell("corners", file, label, "bbox_mode 0: taken as x1, y1, x2, y2")
        if width < 0 or height < 0:
            left, top, width, height = min(left, left + width), min(top, top + height), abs(width), abs(height)
            self.raw.tell("turned", file, label, "negative width or height: drawn from the other corner")
        if not (width > 0 and height > 0) and mask and (around := bounds(as_coco_writes(mask)[0])):
            left, top, width, height = around[0], around[1], around[2] - around[0], around[3] - around[1]
            self.raw.tell("boxed", file, label, "has no box: the one around its mask")
        return (left, top, width, height)

    def _check_categories(self, used: set[Any]) -> None:
        """Boxes that number the classes from another start than the list would all be of their neighbour's class.

        Raises:
            InputError: they do.
        """
        known = set(self.names)
        if len(known) < 2 or not all(type(key) is int for key in known | used):
            return
        if used - known and used in ({key + 1 for key in known}, set(range(len(known)))):
            raise InputError(
                f"{self.path}: boxes have the category ids {min(used)} to {max(used)}, the categories {min(known)} to "
                f"{max(known)}: one of them counts from another start; number them alike"
            )

    def _order(self, used: set[Any]) -> tuple[str, ...]:
        """The classes in the order of their ids, without an export's root that only names the others' parent."""
        kept = dict(self.names)
        for key, name in self.names.items():
            others = [e for e in self.content["categories"] if self._id(e, "id", "categories") != key]
            if key not in used and others and all(entry.get("supercategory") == name for entry in others):
                self.raw.tell("roots", self.path.name, "", f"category {name!r} only names the others' parent: left out")
                del kept[key]
                break
        order = sorted(kept, key=lambda key: (isinstance(key, str), key))
        return tuple(dict.fromkeys(kept[key] for key in order))

    def _check_ids(self) -> None:
        """Boxes of which not one belongs to a listed image mean two kinds of ids, not an empty dataset."""
        boxes = self.content["annotations"]
        if boxes and self.images and self.raw.dirt["orphans"] + self.raw.dirt["twice"] == len(boxes):
            raise InputError(
                f"{self.path}: none of its {len(boxes)} boxes belongs to a listed image: image_id is like "
                f"{boxes[0]['image_id']!r}, the images' ids like {next(iter(self.images))!r}; use one kind of ids"
            )

    def _flag(self, item: dict[str, Any], key: str, file: str, label: Any) -> bool:
        value = item.get(key)
        if value is None or value == 0:
            return False
        try:
            found = flag(value)
        except ValueError as error:
            raise InputError(
                f"{self.path}: annotation {label}: '{key}' is {value!r:.40}, which {error}; correct it"
            ) from None
        if isinstance(value, str) or (value not in (1, True) and value == value):
            self.raw.tell("flags", file, label, f"{key} {value!r} read as {int(found)}")
        return found

    def _find(self, name: str, key: Any) -> Found | None:
        try:
            return self.files.find(name)
        except NotFound as error:
            raise InputError(f"{self.path}: image {key!r}: {error}") from None

    def _id(self, item: dict[str, Any], key: str, where: str) -> Any:
        if key not in item:
            raise InputError(f"{self.path}: is not in COCO's format ({where} has no '{key}'); correct it")
        try:
            found = ident(item[key])
            if found is None and key == "id":
                raise TypeError("is no id")
            return found
        except TypeError:
            raise InputError(f"{self.path}: {where}: '{key}' is {item[key]!r:.40} and no id; correct it") from None

    def _of(self, entry: dict[str, Any], key: str, where: str) -> Any:
        if entry.get(key) is None:
            raise InputError(f"{self.path}: is not in COCO's format ({where} has no '{key}'); correct it")
        return entry[key]

    def _file(self, key: Any) -> str:
        image = self.images.get(key)
        return image.file if image is not None else f"image_id {key}"


def _digits(key: Any) -> bool:
    text = str(key)
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST
