"""Prepared data: `datasets/<name>-<hash>/` with a cleaned COCO file for each split and a manifest; made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from filelock import FileLock

from kdbench.data import coco, crowdhuman, problems, shapes, voc, yolo
from kdbench.data.cleaning import sentence, to_coco
from kdbench.data.findings import stamp
from kdbench.data.fitting import sentence as image_sentence
from kdbench.data.folder import MANIFEST, Prepared, SplitFiles, is_whole, read_prepared
from kdbench.data.judging import judge
from kdbench.data.raw import RawSplit
from kdbench.data.splits import cut, limited
from kdbench.data.usable import Usable, named, paths, usable
from kdbench.errors import InputError, room_in
from kdbench.specs.base import content_hash
from kdbench.specs.dataset import SPLITS, DatasetSpec

__all__ = ["Prepared", "SplitFiles", "prepare", "read_prepared"]

FILES = "files.json"
"""The image files that the data was prepared with, to see whether they are still as they were."""
VERSIONS = {"shapes": 2, "coco": 4, "voc": 4, "yolo": 2, "crowdhuman": 2}
"""Of what each kind's preparation gives: data prepared by an older kdbench is prepared again."""
READERS: dict[str, Any] = {"coco": coco, "voc": voc, "yolo": yolo, "crowdhuman": crowdhuman}
"""The module of each kind that lies on the user's disk: `sources(spec, root)` and `read(spec, split, root)`."""


def prepare(spec: DatasetSpec, storage: Path, data_root: Path | None, max_bad: float | None = None) -> Prepared:
    """Bring a dataset into its prepared form, or find it there. Safe in several processes and against a kill.

    Args:
        max_bad: the share of images that may be unreadable; None where that was judged when the study began.

    Raises:
        InputError: no data root, not such a dataset, a broken annotation file, nothing to learn from, or too many
            images that cannot be read.
    """
    root = _root(spec, data_root)
    plain = {**spec.plain(), "repeat": 1}  # how often an epoch sees the images is no part of what they are
    source = content_hash({"version": VERSIONS[spec.kind], "spec": plain, "sources": _fingerprint(spec, root)})
    datasets = storage.absolute() / "datasets"
    folder = _known(datasets, spec.name, source) if root is not None else None
    if folder is None:
        # Which images are there is part of what the data is: they come and go, and change, with the same annotations.
        raw = None if root is None else _read(spec, root, None)
        state = "" if raw is None else _state(paths(raw))
        identity = source if raw is None else content_hash([source, state])
        folder = datasets / f"{spec.name}-{identity}"
        if not is_whole(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.parent / f".{folder.name}.lock"), room_in(folder):
                if not is_whole(folder):
                    _make(spec, root, raw, folder, {"hash": identity, "source": source}, state)
    data = read_prepared(folder)
    if max_bad is not None:
        data.check_readable(max_bad)
    return data


def _known(datasets: Path, name: str, source: str) -> Path | None:
    """What was prepared from these annotations, if every image is there as it was then."""
    for manifest in sorted(datasets.glob(f"{name}-*/{MANIFEST}")):
        try:
            content = json.loads(manifest.read_text())
            if content.get("source") != source or content["images"]["missing"] or not is_whole(manifest.parent):
                continue
            listed = json.loads((manifest.parent / FILES).read_text())
            files = {
                split: [Path(entry["folder"]) / file for file in entry["files"]] for split, entry in listed.items()
            }
        except (OSError, ValueError, KeyError, TypeError):  # damaged: made again
            continue
        if _state(files) == content["images"]["state"]:
            return manifest.parent
    return None


def _state(files: dict[str, list[Path]]) -> str:
    """The identity of image files as they lie there: their names, sizes and times."""
    return content_hash([[split, *([str(file), stamp(file)] for file in listed)] for split, listed in files.items()])


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


def _make(
    spec: DatasetSpec,
    root: Path | None,
    raw: dict[str, RawSplit] | None,
    folder: Path,
    identity: dict[str, str],
    state: str,
) -> None:
    """Build beside and rename: the folder appears whole or not at all."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        if raw is None or root is None:
            found = Usable(_read(spec, root, temporary))
            images: dict[str, Any] = {}
        else:
            found = usable(spec.name, raw, folder.parent, root)
            images = _about(found, raw, state)
            listed = {name: {"folder": str(s.folder), "files": [i.file for i in s.images]} for name, s in raw.items()}
            (temporary / FILES).write_text(json.dumps(listed))
        classes = spec.classes or classes_of(found.raw["train"])
        masks = spec.kind == "shapes" or spec.masks
        counts: Counter[str] = Counter()
        digest = hashlib.sha256()
        manifest: dict[str, Any] = {
            "name": spec.name,
            **identity,
            "classes": list(classes),
            "masks": masks,
            "splits": {},
            "images": images,
        }
        for name in SPLITS:
            split = found.raw[name]
            content = to_coco(split, classes, masks, counts)
            # How a file is read is no part of the content: a damaged image that is saved anew is the same image.
            digest.update(json.dumps(content).encode())
            how = found.load.get(name, {})
            for entry in content["images"]:
                if entry["file_name"] in how:
                    entry["load"] = how[entry["file_name"]]
            (temporary / f"{name}.json").write_text(json.dumps(content))
            own = split.folder.is_relative_to(temporary)
            manifest["splits"][name] = {
                "images": str(split.folder.relative_to(temporary) if own else split.folder),
                "num_images": len(content["images"]),
                "num_boxes": len(content["annotations"]),
            }
            judge(spec, name, split, classes, content)
        remarks = [remark for split in found.raw.values() for remark in split.remarks]
        manifest["notes"] = ", ".join(filter(None, (image_sentence(counts), sentence(counts, remarks))))
        manifest["content"] = digest.hexdigest()[:12]
        problems.write(temporary, found.raw)
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        temporary.chmod(0o755)
        if folder.exists():  # Somebody removed files from it by hand; a rename needs the place empty.
            os.replace(folder, temporary / "damaged")
        os.replace(temporary, folder)
        shutil.rmtree(folder / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _about(found: Usable, raw: dict[str, RawSplit], state: str) -> dict[str, Any]:
    """What the manifest keeps of the images."""
    unturned = any(how.get("stored") for split in found.load.values() for how in split.values())
    return {
        "state": state,
        "missing": sum(split.dirt["missing"] for split in raw.values()),
        "looked": found.looked,
        "unreadable": len(found.unreadable),
        "first_unreadable": named(found.unreadable),
        "unturned": unturned and not found.turned,
        "shared": found.shared,
    }


def _read(spec: DatasetSpec, root: Path | None, temporary: Path | None) -> dict[str, RawSplit]:
    raw: dict[str, RawSplit] = {}
    for name in SPLITS:
        split = getattr(spec, name)
        if split.cut is not None:
            continue
        if root is None:
            assert temporary is not None
            raw[name] = shapes.generate(spec, name, temporary / "images" / name)
        else:
            raw[name] = READERS[spec.kind].read(spec, split, root)
    for name in SPLITS:
        if name not in raw:
            raw[name] = cut(spec, name, raw["train"])
    return {name: limited(spec, name, split) for name, split in raw.items()}


def classes_of(train: RawSplit) -> tuple[str, ...]:
    """The classes of a dataset that does not name them: those of its train split."""
    return train.names or tuple(sorted({box.name for image in train.images for box in image.boxes if box.name}))
