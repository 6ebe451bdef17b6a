"""Folders in VOC's format: Annotations/*.xml, ImageSets/Main/*.txt, JPEGImages/.

VOC counts pixels from 1 and includes the right and bottom edge. As mmdet's XMLDataset does, 1 is taken from all four
numbers and nothing is added to the size: x = xmin - 1, w = xmax - xmin, so that boxes are those its VOC results were
measured with. Unlike there, fractions are kept. `difficult` objects become crowd: left out of training, ignored by
evaluation.
"""

from __future__ import annotations

import math
import os
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from kdbench.data.images import image_size
from kdbench.data.raw import Box, Image, RawSplit
from kdbench.errors import InputError, did_you_mean
from kdbench.specs.dataset import DatasetSpec, SplitSpec


def sources(spec: DatasetSpec, root: Path) -> list[Path]:
    """The files that the dataset is made of, to see whether it has changed."""
    found = []
    for split in (spec.train, spec.search, spec.report):
        for year, _, path in _lists(split, root):
            found += [path, *sorted((year / "Annotations").glob("*.xml"))]
    return sorted(set(found))


def read(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    """Read a split's images and boxes.

    Raises:
        InputError: not a VOC folder, no such list, none of its images there, or an XML file that is cut or broken;
            VOC has no instance masks.
    """
    if spec.masks:
        raise InputError(f"dataset {spec.name}: VOC has boxes only; set 'masks: false', or use a coco dataset")
    images: list[Image] = []
    dirt: Counter[str] = Counter()
    for year, _, path in _lists(split, root):
        found, missing = [], 0
        # Names need not be UTF-8: they go through to the file system as they are.
        for line in path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines():
            if not line.strip():
                continue
            # A name may have spaces; the lists of one class have a flag after it.
            image = _image(year, line.strip(), root) or _image(year, line.split()[0], root)
            if image is None:
                missing += 1
            else:
                found.append(image)
        if missing and not found:
            raise InputError(
                f"{path}: none of its {missing} images has a file in {year}/Annotations and in JPEGImages; "
                "give the --data-root that has them"
            )
        images += found
        dirt["missing"] += missing
    return RawSplit(root, images, dirt=dirt)


def _lists(split: SplitSpec, root: Path) -> list[tuple[Path, str, Path]]:
    """(folder with Annotations/, name, path) of each list of a split."""
    found = []
    for entry in split.image_sets or ():
        folder, _, name = entry.rpartition("/")
        year = root / folder
        for needed in ("Annotations", "ImageSets/Main", "JPEGImages"):
            if not (year / needed).is_dir():
                raise InputError(
                    f"--data-root {root}: {year} is not a VOC folder, it has no {needed}/; give the folder that has it"
                )
        path = year / "ImageSets" / "Main" / f"{name}.txt"
        if not path.is_file():
            known = [file.stem for file in path.parent.glob("*.txt")]
            raise InputError(f"{path}: no such image set; {did_you_mean(name, known)}")
        found.append((year, name, path))
    return found


def _image(year: Path, name: str, root: Path) -> Image | None:
    path = year / "Annotations" / f"{name}.xml"
    file = next(
        (f for s in (".jpg", ".jpeg", ".png", ".JPG") if (f := year / "JPEGImages" / f"{name}{s}").is_file()), None
    )
    if not path.is_file() or file is None:
        return None
    try:
        tree = ElementTree.parse(path).getroot()
        width, height = (_number(tree.findtext(f"size/{side}")) for side in ("width", "height"))
        boxes = [_box(item) for item in tree.iter("object")]
    except ElementTree.ParseError as error:
        line, column = error.position
        raise InputError(f"{path}: broken XML at line {line}, column {column}; restore the file") from None
    if not (1 <= width < math.inf and 1 <= height < math.inf):
        width, height = image_size(file)
    return Image(Path(os.path.relpath(file, root)).as_posix(), int(width), int(height), boxes)


def _box(item: ElementTree.Element) -> Box:
    corners = tuple(_number(item.findtext(f"bndbox/{side}")) - 1 for side in ("xmin", "ymin", "xmax", "ymax"))
    difficult = (item.findtext("difficult") or "0").strip() == "1"
    return Box(corners, (item.findtext("name") or "").strip(), crowd=difficult)  # type: ignore[arg-type]


def _number(text: str | None) -> float:
    """NaN where there is no number: a box is then dropped and counted, a size read from the image."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
