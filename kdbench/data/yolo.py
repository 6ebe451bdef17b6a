"""Folders in YOLO's format: images, and for each a text file of the same name with a line an object.

A line is a class number, from 0, and either x and y of the box's centre, width and height, or a polygon (x1 y1 x2 y2
...), all as shares 0..1 of the image's width and height. The label file of `images/train/a.jpg` is
`labels/train/a.txt`; where no folder is called images, it lies beside its image. An image without a label file, or
with an empty one, has no objects, as YOLO takes it.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from kdbench.data.raw import Image, RawSplit, put_together
from kdbench.data.reading.finding import Files, NotFound
from kdbench.data.reading.text import lines_of_names
from kdbench.data.reading.yolo_file import looks_like_pose, read_labels
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec, SplitSpec

TEXT = frozenset({".txt"})
NAMES = frozenset({"classes.txt", "labels.txt", "obj.names.txt"})
"""Texts beside label files that are none."""
FEW = 3
"""So many polygons may be called keypoints."""
TWINS = (("images", "labels"), ("Images", "Labels"), ("JPEGImages", "labels"))
"""Folders of images, and what the folder of labels beside each is called."""


def sources(spec: DatasetSpec, root: Path) -> list[Path]:
    """The files that the dataset is made of, to see whether it has changed."""
    found: set[Path] = set()
    for split in (spec.train, spec.search, spec.report):
        if split.images is not None:
            if (root / split.images).is_file():
                found.add(root / split.images)
            found |= {root / label for _, label in _pairs(split, root, RawSplit(root, [])) if label is not None}
    return sorted(found)


def read(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    """Read a split's images and boxes, which stay shares until the images' sizes are known. No image is opened.

    Raises:
        InputError: no such folder or list, no label file at all, a line that is no label (names it), class numbers
            that count from 1, or pixels in place of shares.
    """
    assert split.images is not None
    assert spec.classes is not None
    place = root / split.images
    raw = RawSplit(root if place.is_file() else place, [], names=spec.classes)
    owners: dict[str, str] = {}
    numbers: set[int] = set()
    for file, label in _pairs(split, root, raw):
        image = Image(file, 0, 0, shares=True)
        raw.images.append(image)
        if label is None:
            raw.tell("unlabelled", file, "", "has no label file: taken as an image without objects")
            continue
        if owners.setdefault(label, file) != file:
            raise InputError(
                f"{root / label}: is the label file of {owners[label]!r} and of {file!r}; set 'labels' apart"
            )
        numbers |= read_labels(root / label, image, spec.classes, raw)
    _check(spec, split, root, raw, owners, numbers)
    put_together(raw)
    return raw


def _check(
    spec: DatasetSpec, split: SplitSpec, root: Path, raw: RawSplit, owners: dict[str, str], numbers: set[int]
) -> None:
    """See that the labels are labels of these images.

    Raises:
        InputError: there are none, or they cannot be meant as they stand.
    """
    assert spec.classes is not None
    assert split.images is not None
    if not raw.images:
        missing = f"; none of its {raw.dirt['missing']} lines names a file" if raw.dirt["missing"] else ""
        raise InputError(f"{root / split.images}: has no image{missing}; check 'images' and the data root")
    if not owners:
        where = split.labels or _label_of(posixpath.join(split.images, raw.images[0].file), split)
        raise InputError(f"{root}: no image of {split.images} has a label file (looked for {where}); set 'labels'")
    if numbers and min(numbers) == 1 and max(numbers) == len(spec.classes):
        raise InputError(
            f"{root / next(iter(owners))}: class numbers go from 1 to {max(numbers)} over the split, YOLO counts from 0; "
            "subtract 1, or put a class before the first in 'classes'"
        )
    boxes = sum(len(image.boxes) for image in raw.images)
    if raw.dirt["unshared"] and not boxes:
        raise InputError(
            f"{root / next(iter(owners))}: boxes are pixels and no shares 0..1 of the image; divide them by width and height, "
            "or write a coco file"
        )
    polygons = [box.segmentation[0] for image in raw.images for box in image.boxes if box.segmentation]
    if len(polygons) >= FEW and len({len(one) for one in polygons}) == 1 and all(map(looks_like_pose, polygons)):
        raw.remarks.append(
            f"lines of {len(polygons[0]) + 1} numbers were read as polygons and may be a box with keypoints: give labels of boxes then"
        )
    # Beside images, and where a list names some of many, lie other texts too.
    own = f"{posixpath.normpath(split.images)}/".removeprefix("./")
    folders = set() if (root / split.images).is_file() else {posixpath.dirname(label) for label in owners}
    for folder in sorted(folder for folder in folders if not f"{folder}/".startswith(own)):
        for name in _labels_in(root, folder):
            label = posixpath.join(folder, name)
            if label not in owners and name not in NAMES:
                raw.tell("imageless", label, "", "is the label file of no image: skipped")


def _labels_in(root: Path, folder: str) -> list[str]:
    return [file for file in Files(root / folder, TEXT).all() if "/" not in file]


def _pairs(split: SplitSpec, root: Path, raw: RawSplit) -> Iterator[tuple[str, str | None]]:
    """Each image relative to the split's folder, and its label file relative to the root."""
    assert split.images is not None
    place = root / split.images
    texts = Files(root, TEXT)
    if place.is_dir():
        for file in Files(place).all():
            yield file, _label(posixpath.normpath(posixpath.join(split.images, file)), file, split, texts)
    elif place.is_file():
        for file in _listed(place, root, raw):
            yield file, _label(file, file, split, texts)
    else:
        raise InputError(f"--data-root {root}: has no {split.images}; check the data root and 'images'")


def _listed(path: Path, root: Path, raw: RawSplit) -> Iterator[str]:
    """Images that a list names: relative to the root or to the list, or as another machine wrote them."""
    if path.suffix.lower() != ".txt":
        raise InputError(f"{path}: is no list of images; 'images' of a yolo dataset is a folder, or a .txt file")
    files = Files(root, beside=path.parent)
    for line in lines_of_names(path):
        beside = files.exact(posixpath.join(path.parent.as_posix(), line))
        try:
            found = None if beside else files.find(line)
        except NotFound as error:
            raise InputError(f"{path}: {error}") from None
        if beside:
            yield beside
        elif found is None:
            raw.tell("missing", line, "", f"listed in {path.name}, no such file: skipped")
        else:
            if found.mended:
                raw.tell("renamed", found.file, "", f"{found.mended}, listed as {line!r}")
            yield found.file


def _label(path: str, file: str, split: SplitSpec, texts: Files) -> str | None:
    """The label file of an image, by the paths of both under the root."""
    if split.labels is None:
        beside = f"{os.path.splitext(path)[0]}.txt"
        return texts.exact(_label_of(path, split)) or texts.exact(beside)
    stem = os.path.splitext(file)[0]
    parts = stem.split("/")
    # A list names images from the root on, and the folder of labels has but the end of it.
    ends = ["/".join(parts[start:]) for start in range(len(parts))] if path == file else [stem]
    return next((found for end in ends if (found := texts.exact(f"{split.labels}/{end}.txt"))), None)


def _label_of(path: str, split: SplitSpec) -> str:
    """The path of a label file where the folder of labels stands in place of the folder of images."""
    if split.labels is not None:
        return split.labels
    stem = os.path.splitext(path)[0]
    for images, labels in TWINS:
        before, found, after = f"/{stem}".rpartition(f"/{images}/")
        if found:
            return f"{before}/{labels}/{after}.txt".lstrip("/")
    return f"{stem}.txt"
