"""Small datasets of one's own, written as a test wants them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kdbench.data import Prepared, prepare
from kdbench.specs.dataset import DatasetSpec


def picture(path: Path, width: int = 160, height: int = 120) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png" if path.suffix == "" else path.suffix, np.full((height, width, 3), 90, np.uint8))
    assert done
    path.write_bytes(data.tobytes())


def text(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def prepared(root: Path, train: dict[str, Any], **more: Any) -> Prepared:
    """A prepared dataset; without other splits, search and report are the train split again."""
    values = {"kind": "coco", "name": "own", "train": train, "search": train, "report": train, **more}
    return prepare(DatasetSpec.parse(values, "test"), root / "storage", root)


def content(data: Prepared, split: str = "train") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data.splits[split].annotations.read_text())
    return found


def boxes(data: Prepared, split: str = "train") -> dict[str, list[list[float]]]:
    """Boxes (x, y, width, height) by file."""
    found = content(data, split)
    return {
        image["file_name"]: [item["bbox"] for item in found["annotations"] if item["image_id"] == image["id"]]
        for image in found["images"]
    }


def labels(data: Prepared, split: str = "train") -> dict[str, list[str]]:
    """Class names by file."""
    found = content(data, split)
    return {
        image["file_name"]: [
            data.classes[item["category_id"] - 1] for item in found["annotations"] if item["image_id"] == image["id"]
        ]
        for image in found["images"]
    }
