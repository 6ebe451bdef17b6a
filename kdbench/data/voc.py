"""Folders in VOC's format: Annotations/*.xml, ImageSets/Main/*.txt, JPEGImages/.

VOC counts pixels from 1 and includes the right and bottom edge. As mmdet does, the numbers are taken as they stand
(no -1, no +1), so that boxes are those its VOC results were measured with. `difficult` objects become crowd: left out
of training, ignored by evaluation.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

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
        InputError: not a VOC folder, no such list, or an XML file that is cut or broken.
    """
    images, missing = [], 0
    for year, _, path in _lists(split, root):
        for line in path.read_text().splitlines():
            if not line.strip():
                continue
            image = _image(year, line.split()[0], root)
            if image is None:
                missing += 1
            else:
                images.append(image)
    return RawSplit(root, images, missing=missing)


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
        width, height = (int(float(tree.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
        boxes = [_box(item) for item in tree.iter("object")]
    except ElementTree.ParseError as error:
        line, column = error.position
        raise InputError(f"{path}: broken XML at line {line}, column {column}; restore the file") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: an object has no proper box ({error}); correct the file") from None
    if width < 1 or height < 1:
        width, height = _size(file)
    return Image(file.relative_to(root).as_posix(), width, height, boxes)


def _box(item: ElementTree.Element) -> Box:
    corners = tuple(float(item.findtext(f"bndbox/{side}") or "nan") for side in ("xmin", "ymin", "xmax", "ymax"))
    difficult = (item.findtext("difficult") or "0").strip() == "1"
    return Box(corners, (item.findtext("name") or "").strip(), crowd=difficult)  # type: ignore[arg-type]


def _size(file: Path) -> tuple[int, int]:
    import cv2

    image = cv2.imread(str(file))
    if image is None:
        raise InputError(f"{file}: is not an image that can be read; restore the file")
    return int(image.shape[1]), int(image.shape[0])
