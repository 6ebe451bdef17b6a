"""A trial's mmdet config made portable: one variable for the images' folder, annotation files beside the config."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError
from kdbench.training.config_text import Expression, config_text

if TYPE_CHECKING:
    from kdbench.data import Prepared

SECTIONS = {"train": "train", "search": "val", "report": "test"}
"""Our splits, and mmdet's names of the sections of `data`."""
ANNOTATIONS = "annotations"
"""Folder of the annotation files, beside the config."""
STALE = (
    *("dataset_type", "data_root", "img_norm_cfg", "train_pipeline", "test_pipeline", "classes", "data", "device"),
    ANNOTATIONS,
)
"""Top-level names that mmdet's base files leave behind and nothing reads, that are written anew, or are of a machine."""

HEAD = """\
# {title}
# For mmdet 2.x; it needs nothing of kdbench.

# The folder of the images, with a / at its end: the one line to change on another machine.
data_root = {root!r}
# The annotation files came with this file; mmcv puts its folder in here.
annotations = '{{{{ fileDirname }}}}/{annotations}/'

"""


@dataclass(frozen=True)
class PlainConfig:
    """The text of the config, and the kind of device ("cpu", "cuda") that the student was trained on; None: unknown."""

    text: str
    device: str | None


def plain_config(file: Path, data: Prepared, data_root: Path | None, title: str) -> PlainConfig:
    """A config that plain mmdet builds, from the one that a training left.

    The annotation files of the splits must be laid beside it as `annotations/train.json` and so on: they are the
    cleaned ones that the training saw, and cuts of a split have no file of their own in the dataset.

    Args:
        file: the training's mmdet_config.py; everything but its paths is kept.
        data_root: the user's data root; None for generated images.

    Raises:
        InputError: the file is missing or broken.
    """
    from kdbench.detectors import configs

    if not file.is_file():
        raise InputError(f"{file}: is not there; train the recipe again")
    values: dict[str, Any] = configs.load_model_config(str(file.absolute()), {})._cfg_dict.to_dict()
    root = images_root(data, data_root)
    for split, section in SECTIONS.items():
        for node in _datasets(values["data"][section]):
            below = os.path.relpath(data.splits[split].images, root)
            node["ann_file"] = Expression(f"annotations + {f'{split}.json'!r}")
            node["img_prefix"] = Expression("data_root" if below == "." else f"data_root + {below + '/'!r}")
    kept = {name: value for name, value in values.items() if name not in STALE}
    head = HEAD.format(title=" ".join(title.split()), root=f"{root}/", annotations=ANNOTATIONS)
    text = head + config_text({"model": kept.pop("model"), "data": values["data"], **kept})
    return PlainConfig(text, values.get("device"))


def images_root(data: Prepared, data_root: Path | None) -> Path:
    """The folder that the images' folders are given relative to."""
    if data_root is None or data.splits["train"].images.is_relative_to(data.folder):
        return data.folder
    return data_root.resolve()


def _datasets(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The datasets with files in a section, through wrappers such as RepeatDataset."""
    if "ann_file" in node:
        yield node
    elif isinstance(node.get("dataset"), dict):
        yield from _datasets(node["dataset"])
