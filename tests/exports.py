"""Tiny data sets as annotation tools export them: pictures with a ball or two and a box or two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("ball", "box")
WIDE, HIGH = 96, 64
Object = tuple[int, int, int, int, int]
"""Class, left, top, width, height in pixels."""


def pictures(number: int, seed: int = 0) -> Iterator[tuple[str, np.ndarray, list[Object]]]:
    """Name, pixels and objects of each picture; every one has an object of both classes."""
    stream = np.random.default_rng(seed)
    for index in range(number):
        image = stream.integers(70, 110, (HIGH, WIDE, 3)).astype(np.uint8)
        objects = []
        for kind, left in ((0, 4), (1, 52)):
            size, top = int(stream.integers(18, 30)), int(stream.integers(2, 30))
            corner, end = (left, top), (left + size, top + size)
            if kind:
                cv2.rectangle(image, corner, end, (30, 220, 30), -1)
            else:
                cv2.circle(image, (left + size // 2, top + size // 2), size // 2, (220, 40, 40), -1)
            objects.append((kind, left, top, size, size))
        yield f"picture_{seed}_{index}.jpg", image, objects


def label_img(root: Path, number: int = 12, *, xml: str = "labels", images: str = "photos") -> Path:
    """labelImg's: XML files and images in two folders of any names, or in one."""
    for name, image, objects in pictures(number):
        _write(root / images / name, image)
        (root / xml).mkdir(parents=True, exist_ok=True)
        (root / xml / name.replace(".jpg", ".xml")).write_text(_xml(name, objects))
    return root


def in_one(root: Path) -> Path:
    """labelImg's: each XML file beside its image."""
    return label_img(root, xml=".", images=".")


def voc(root: Path, number: int = 12) -> Path:
    """VOC's own folders, with lists."""
    label_img(root, number, xml="Annotations", images="JPEGImages")
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    stems = sorted(path.stem for path in (root / "JPEGImages").iterdir())
    for name, part in (("train", stems[:-6]), ("val", stems[-6:-3]), ("test", stems[-3:])):
        (lists / f"{name}.txt").write_text("\n".join(part) + "\n")
    return root


def roboflow(root: Path, sizes: tuple[int, ...] = (8, 3, 3)) -> Path:
    """Roboflow's COCO export: a folder a split, each with its file, and a root category that no box has."""
    for seed, (split, number) in enumerate(zip(("train", "valid", "test"), sizes, strict=False)):
        coco(root / split / "_annotations.coco.json", root / split, number, seed=seed, rooted=True)
    return root


def coco(file: Path, images: Path, number: int, *, seed: int = 0, rooted: bool = False) -> Path:
    """A COCO file with its images."""
    entries, boxes = [], []
    for name, image, objects in pictures(number, seed):
        _write(images / name, image)
        entries.append({"id": len(entries), "file_name": name, "width": WIDE, "height": HIGH})
        for kind, left, top, width, height in objects:
            box = {"id": len(boxes), "image_id": entries[-1]["id"], "category_id": kind + 1, "iscrowd": 0}
            boxes.append({**box, "bbox": [left, top, width, height], "area": width * height, "segmentation": []})
    categories = [{"id": number, "name": name, "supercategory": "toys"} for number, name in enumerate(CLASSES, 1)]
    if rooted:
        categories.insert(0, {"id": 0, "name": "toys", "supercategory": "none"})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images": entries, "annotations": boxes, "categories": categories}))
    return file


def yolo(root: Path, sizes: tuple[int, ...] = (8, 3, 3)) -> Path:
    """YOLO's folders with a data.yaml whose paths are those of the tool that wrote it."""
    lines = []
    for seed, (split, key, number) in enumerate(
        zip(("train", "valid", "test"), ("train", "val", "test"), sizes, strict=False)
    ):
        for name, image, objects in pictures(number, seed):
            _write(root / split / "images" / name, image)
            (root / split / "labels").mkdir(exist_ok=True)
            (root / split / "labels" / name.replace(".jpg", ".txt")).write_text(_shares(objects))
        lines.append(f"{key}: ../{split}/images\n")
    (root / "data.yaml").write_text("".join(lines) + f"nc: {len(CLASSES)}\nnames: {json.dumps(CLASSES)}\n")
    return root


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def _xml(name: str, objects: list[Object]) -> str:
    inner = "".join(
        f"<object><name>{CLASSES[kind]}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{left + width}</xmax>"
        f"<ymax>{top + height}</ymax></bndbox></object>"
        for kind, left, top, width, height in objects
    )
    size = f"<size><width>{WIDE}</width><height>{HIGH}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{size}{inner}</annotation>"


def _shares(objects: list[Object]) -> str:
    return "".join(
        f"{kind} {(left + width / 2) / WIDE} {(top + height / 2) / HIGH} {width / WIDE} {height / HIGH}\n"
        for kind, left, top, width, height in objects
    )
