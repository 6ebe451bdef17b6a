"""Prepared data: `datasets/<name>-<hash>/` with a cleaned COCO file for each split and a manifest; made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from kdbench.data import coco, crowdhuman, shapes, voc, yolo
from kdbench.data.cleaning import sentence, to_coco
from kdbench.data.images import image_size
from kdbench.data.judging import judge
from kdbench.data.raw import RawSplit
from kdbench.data.splits import cut, limited
from kdbench.errors import InputError
from kdbench.specs.base import content_hash
from kdbench.specs.dataset import SPLITS, DatasetSpec

MANIFEST = "prepared.json"
VERSIONS = {"shapes": 2, "coco": 3, "voc": 3, "yolo": 1, "crowdhuman": 2}
"""Of what each kind's preparation gives: data prepared by an older kdbench is prepared again."""
READERS: dict[str, Any] = {"coco": coco, "voc": voc, "yolo": yolo, "crowdhuman": crowdhuman}
"""The module of each kind that lies on the user's disk: `sources(spec, root)` and `read(spec, split, root)`."""


@dataclass(frozen=True)
class SplitFiles:
    """Where a split lies, and how large it is."""

    annotations: Path
    images: Path
    num_images: int
    num_boxes: int


@dataclass(frozen=True)
class Prepared:
    """A dataset ready for mmdet's CocoDataset.

    Attributes:
        notes: what cleaning did, in one line; empty when the data was clean.
        masks: instance masks are in the annotation files.
        content: identity of the cleaned annotations, wherever they lie; "" where an older kdbench prepared them.
    """

    name: str
    classes: tuple[str, ...]
    hash: str
    folder: Path
    splits: dict[str, SplitFiles]
    notes: str = ""
    masks: bool = False
    content: str = ""

    def check_content(self, known: str, study: str) -> None:
        """Refuse data that is not what a study began with; an identity that is not known is no reason.

        Raises:
            InputError: the annotations differ.
        """
        if known and self.content and known != self.content:
            raise InputError(
                f"study {study}: the annotations of dataset {self.name} have changed since it began, so its trials could not be "
                "compared; put them back, or begin a new study"
            )


def prepare(spec: DatasetSpec, storage: Path, data_root: Path | None) -> Prepared:
    """Bring a dataset into its prepared form, or find it there. Safe in several processes and against a kill.

    Raises:
        InputError: no data root, not such a dataset, a broken annotation file, or nothing to learn from.
    """
    root = _root(spec, data_root)
    identity = content_hash({"version": VERSIONS[spec.kind], "spec": spec.plain(), "sources": _fingerprint(spec, root)})
    folder = storage.absolute() / "datasets" / f"{spec.name}-{identity}"
    if not _whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            if not _whole(folder):
                _make(spec, root, folder, identity)
    return read_prepared(folder)


def read_prepared(folder: Path) -> Prepared:
    """Read a prepared dataset back; its paths are absolute.

    Raises:
        InputError: there is none, or its manifest is broken.
    """
    folder = folder.absolute()
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except OSError as error:
        raise InputError(f"{folder / MANIFEST}: cannot be read ({error.strerror}); check --storage") from None
    except ValueError:
        raise InputError(f"{folder / MANIFEST}: broken JSON; remove that folder, it is made again") from None
    splits = {
        name: SplitFiles(folder / f"{name}.json", folder / split["images"], split["num_images"], split["num_boxes"])
        for name, split in content["splits"].items()
    }
    return Prepared(
        content["name"],
        tuple(content["classes"]),
        content["hash"],
        folder,
        splits,
        content["notes"],
        content["masks"],
        content.get("content", ""),
    )


def _whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (MANIFEST, *(f"{split}.json" for split in SPLITS)))


def _root(spec: DatasetSpec, data_root: Path | None) -> Path | None:
    if spec.kind == "shapes":
        return None
    if data_root is None:
        raise InputError(f"dataset {spec.name} ({spec.kind}) lies on your disk; say where with --data-root DIR")
    if not data_root.is_dir():
        raise InputError(f"--data-root {data_root}: is not a folder; give the one with the {spec.kind} files")
    return data_root.resolve()


def _fingerprint(spec: DatasetSpec, root: Path | None) -> list[Any]:
    if root is None:
        return []
    files = READERS[spec.kind].sources(spec, root)
    return [str(root), *([os.path.relpath(f, root), f.stat().st_size, f.stat().st_mtime_ns] for f in files)]


def _make(spec: DatasetSpec, root: Path | None, folder: Path, identity: str) -> None:
    """Build beside and rename: the folder appears whole or not at all."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        raw = _read(spec, root, temporary)
        classes = spec.classes or _found(raw["train"])
        masks = spec.kind == "shapes" or spec.masks
        counts: Counter[str] = Counter()
        digest = hashlib.sha256()
        manifest: dict[str, Any] = {
            "name": spec.name,
            "hash": identity,
            "classes": list(classes),
            "masks": masks,
            "splits": {},
        }
        for name in SPLITS:
            content = to_coco(raw[name], classes, masks, counts)
            text = json.dumps(content)
            digest.update(text.encode())
            (temporary / f"{name}.json").write_text(text)
            images = raw[name].folder
            own = images.is_relative_to(temporary)
            manifest["splits"][name] = {
                "images": str(images.relative_to(temporary) if own else images),
                "num_images": len(content["images"]),
                "num_boxes": len(content["annotations"]),
            }
            judge(spec, name, raw[name], classes, content)
        remarks = [remark for split in raw.values() for remark in split.remarks]
        manifest["notes"], manifest["content"] = sentence(counts, remarks), digest.hexdigest()[:12]
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        temporary.chmod(0o755)
        if folder.exists():  # Somebody removed files from it by hand; a rename needs the place empty.
            os.replace(folder, temporary / "damaged")
        os.replace(temporary, folder)
        shutil.rmtree(folder / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read(spec: DatasetSpec, root: Path | None, temporary: Path) -> dict[str, RawSplit]:
    raw: dict[str, RawSplit] = {}
    for name in SPLITS:
        split = getattr(spec, name)
        if split.cut is not None:
            continue
        if root is None:
            raw[name] = shapes.generate(spec, name, temporary / "images" / name)
        else:
            raw[name] = READERS[spec.kind].read(spec, split, root)
    for name in SPLITS:
        if name not in raw:
            raw[name] = cut(spec, name, raw["train"])
    found = {name: limited(spec, name, split) for name, split in raw.items()}
    for split in found.values():
        for image in split.images:
            if image.width < 1 or image.height < 1:
                image.width, image.height = image_size(split.folder / image.file)
    return found


def _found(train: RawSplit) -> tuple[str, ...]:
    return train.names or tuple(sorted({box.name for image in train.images for box in image.boxes if box.name}))
