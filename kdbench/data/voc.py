"""Annotations in VOC's XML: VOC's own folders with lists, or any folder of XML beside any folder of images.

A split names lists (`image_sets`, in folders with Annotations/, ImageSets/Main/ and JPEGImages/), or two folders
(`annotations` and `images`, which may be one): labelImg, Label Studio, Roboflow and CVAT write such. What the numbers
in an XML file mean stands in `reading.voc_file`.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from kdbench.data.raw import Image, RawSplit, put_together
from kdbench.data.reading.finding import IMAGE_SUFFIXES, Files, Found, NotFound
from kdbench.data.reading.text import lines_of_names
from kdbench.data.reading.voc_file import VocFile, read_voc
from kdbench.errors import InputError, did_you_mean
from kdbench.specs.dataset import DatasetSpec, SplitSpec

XML = frozenset({".xml"})
NEEDED = ("Annotations", "ImageSets/Main", "JPEGImages")


def sources(spec: DatasetSpec, root: Path) -> list[Path]:
    """The files that the dataset is made of, to see whether it has changed."""
    found: set[Path] = set()
    for split in (spec.train, spec.search, spec.report):
        for year, path in _lists(split, root):
            found |= {path, *(year / "Annotations" / file for file in Files(year / "Annotations", XML).all())}
        if split.annotations is not None:
            folder = _folder(split.annotations, "annotations", root)
            found |= {folder / file for file in Files(folder, XML).all()}
    return sorted(found)


def read(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    """Read a split's images and boxes. No image is opened.

    Raises:
        InputError: not such folders, no such list, none of its images there, an XML file that is cut or broken, or a
            name that fits two images; VOC has no instance masks.
    """
    if spec.masks:
        raise InputError(f"dataset {spec.name}: VOC has boxes only; set 'masks: false', or use a coco dataset")
    raw = _of_lists(split, root) if split.annotations is None else _of_folders(spec, split, root)
    put_together(raw)
    # Before anything is cut out of it: a class that lies in the cut alone is one all the same.
    raw.names = tuple(sorted({box.name for image in raw.images for box in image.boxes if box.name}))
    return raw


def _of_lists(split: SplitSpec, root: Path) -> RawSplit:
    raw = RawSplit(root, [])
    for year, path in _lists(split, root):
        annotations, pictures = Files(year / "Annotations", XML), Files(year / "JPEGImages")
        prefix = Path(os.path.relpath(pictures.folder, root)).as_posix()
        found, missing = [], 0
        for line in lines_of_names(path):
            image = _listed(line, annotations, pictures, prefix, raw, path)
            if image is None:
                missing += 1
                raw.tell("missing", line, "", f"listed in {path.name}, but has no XML file or no image: skipped")
            else:
                found.append(image)
        if missing and not found:
            raise InputError(
                f"{path}: none of its {missing} images has a file in {year}/Annotations and in JPEGImages; "
                f"give the --data-root that has them (the first is {lines_of_names(path)[0]!r})"
            )
        raw.images += found
    return raw


def _listed(line: str, annotations: Files, pictures: Files, prefix: str, raw: RawSplit, path: Path) -> Image | None:
    """The image of a list's line: a name with blanks, a name with a flag behind it, with a suffix or a path."""
    try:
        for name in _names(line):
            file = annotations.of_stem(name)
            if file is None:
                continue
            content = read_voc(annotations.folder / file.file)
            stem = os.path.splitext(file.file)[0]
            literal = pictures.exact(name)
            picture = Found(literal) if literal else pictures.of_stem(stem, content.filename)
            picture = picture or (pictures.find(content.filename) if content.filename else None)
            if picture is None:
                continue
            whole = posixpath.join(prefix, picture.file)
            if picture.mended:
                raw.tell("renamed", whole, "", f"{picture.mended}, listed as {line!r}")
            return content.image(whole, raw)
    except NotFound as error:
        raise InputError(f"{path}: {error}") from None
    return None


def _names(line: str) -> Iterator[str]:
    """Names without a suffix that a line may mean, the most literal one first."""
    for name in dict.fromkeys((line, line.split()[0])):
        yield name
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in IMAGE_SUFFIXES | XML:
            yield stem


def _lists(split: SplitSpec, root: Path) -> Iterator[tuple[Path, Path]]:
    """The folder with Annotations/, and the path, of each list of a split."""
    for entry in split.image_sets or ():
        folder, _, name = entry.rpartition("/")
        year = root / folder
        for needed in NEEDED:
            if not (year / needed).is_dir():
                raise InputError(
                    f"--data-root {root}: {year} is not a VOC folder, it has no {needed}/; give the folder that has it{_hint(year)}"
                )
        path = year / "ImageSets" / "Main" / f"{name.removesuffix('.txt')}.txt"
        if not path.is_file():
            known = [file.stem for file in path.parent.glob("*.txt")]
            raise InputError(f"{path}: no such image set; {did_you_mean(name, known)}")
        yield year, path


def _hint(year: Path) -> str:
    """How to name a folder of XML and one of images, where such lie here."""
    try:
        places = [year, *sorted(place for place in year.iterdir() if place.is_dir())]
    except OSError:
        return ""
    having = {
        kind: [place for place in places if any(file.suffix.lower() in kind for file in place.iterdir())]
        for kind in (XML, IMAGE_SUFFIXES)
    }
    if not having[XML] or not having[IMAGE_SUFFIXES]:
        return ""
    one, two = (having[kind][0].relative_to(year).as_posix() for kind in (XML, IMAGE_SUFFIXES))
    return f", or name its folders in place of 'image_sets': annotations: {one}, images: {two}"


def _of_folders(spec: DatasetSpec, split: SplitSpec, root: Path) -> RawSplit:
    assert split.annotations is not None
    place = split.images if split.images is not None else split.annotations
    annotations = Files(_folder(split.annotations, "annotations", root), XML)
    pictures = Files(_folder(place, "images", root))
    raw = RawSplit(pictures.folder, [])
    files = annotations.all()
    owners: dict[tuple[str, str], str] = {}
    for file in files:
        content = read_voc(annotations.folder / file)
        if content.foreign:
            raw.tell("foreign", file, "", "is no annotation: skipped")
            continue
        picture = _picture(file, content, pictures)
        if picture is None:
            raw.tell("missing", content.filename or file, "", f"no image of {file} in {place}/: skipped")
            continue
        owner = owners.setdefault((picture.file, posixpath.basename(file)), file)
        if owner != file:
            raise InputError(
                f"{annotations.folder}: {owner!r} and {file!r} both lead to {picture.file!r} in {pictures.folder}; set 'images' "
                "to a folder with the images of both"
            )
        if picture.mended:
            raw.tell("renamed", picture.file, "", f"{picture.mended}, for {file}")
        raw.images.append(content.image(picture.file, raw))
    if not raw.images:
        what = (
            f"none of its {len(files)} XML files has an image in {pictures.folder}" if files else "it has no XML file"
        )
        raise InputError(f"{annotations.folder}: {what}; check 'annotations', 'images' and the data root")
    # Where splits share an image folder, what one leaves may be the others'.
    if [other.images for other in (spec.train, spec.search, spec.report) if other.annotations].count(split.images) == 1:
        have = {image.file for image in raw.images}
        for file in pictures.all():
            if file not in have:
                raw.tell("unannotated", file, "", "has no XML file, nobody says what is on it: left out")
    return raw


def _picture(file: str, content: VocFile, pictures: Files) -> Found | None:
    """The image of an XML file: the one of its name, else the one that it names.

    Raises:
        InputError: several fit.
    """
    doubt: NotFound | None = None
    name = content.filename
    try:
        found = pictures.of_stem(os.path.splitext(file)[0], name)
    except NotFound as error:
        found, doubt = None, error
    if found is not None:
        return found
    for given in (name, f"{content.folder}/{name}"):
        if (literal := pictures.exact(given)) is not None:
            return Found(literal)
    for given in (f"{content.folder}/{name}", name):
        try:
            found = pictures.find(given) if name else None
        except NotFound as error:
            doubt = doubt or error
            continue
        if found is not None:
            return found
    if doubt is not None:
        raise InputError(f"{content.path}: {doubt}")
    return None


def _folder(name: str, key: str, root: Path) -> Path:
    folder = root / name
    if folder.is_file():
        raise InputError(f"{folder}: is a file; '{key}' of a voc dataset is a folder, a JSON file needs 'kind: coco'")
    if not folder.is_dir():
        raise InputError(f"--data-root {root}: has no folder {name}; check the data root and '{key}'")
    return folder
