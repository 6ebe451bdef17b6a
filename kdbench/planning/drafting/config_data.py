"""The data of an mmdet config as a task's dataset."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.data.reading.text import decode, read_bytes
from kdbench.errors import InputError
from kdbench.planning.drafting.layout import Layout

COCO = (
    *("CocoDataset", "CityscapesDataset", "DeepFashionDataset", "LVISDataset", "LVISV05Dataset", "LVISV1Dataset"),
    *("Objects365V1Dataset", "Objects365V2Dataset"),
)
VOC = ("VOCDataset", "XMLDataset")
NAMES = {"train": "train", "val": "search", "test": "report"}
"""mmdet's sections of `data`, and our splits."""
IGNORED = (
    *(
        "type",
        "ann_file",
        "img_prefix",
        "data_root",
        "pipeline",
        "classes",
        "test_mode",
        "samples_per_gpu",
        "workers_per_gpu",
    ),
    *("filter_empty_gt", "seg_prefix", "proposal_file"),
)
"""Keys of a dataset that are read, or spoken of where they matter."""


@dataclass
class Section:
    """One section of `data`, out of its wrappers."""

    kind: str
    annotations: list[str]
    images: list[str]
    classes: tuple[str, ...] | None
    repeat: int = 1
    pipeline: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class ConfigData:
    """Data of a config.

    Attributes:
        root: the folder under which everything lies; None where it is not on this machine.
        missing: a file that is not there.
    """

    layout: Layout
    root: Path | None
    repeat: int
    missing: str = ""


def read_sections(cfg: Any, where: str, notes: list[str]) -> dict[str, Section]:
    """The sections of a config's `data`.

    Raises:
        InputError: it has no train section, or one of a kind that kdbench does not read.
    """
    data = cfg.get("data")
    if not isinstance(data, dict) or not data.get("train"):
        raise InputError(
            f"{where}: has no data.train; write the dataset by hand, or give the folder: kdbench task FOLDER"
        )
    found = {}
    for name in NAMES:
        if data.get(name):
            section = _unwrap(data[name], f"{where}: data.{name}", notes)
            if section is not None:
                found[name] = section
    own = sorted(set(data) - {*NAMES, "samples_per_gpu", "imgs_per_gpu", "workers_per_gpu"})
    if own:
        notes.append(f"data.{', data.'.join(own)}: not taken, kdbench's loaders have their own settings")
    return found


def place(sections: dict[str, Section], config: Path, data_root: str | None, notes: list[str]) -> ConfigData:
    """Where the files lie, as splits below one root."""
    paths: dict[str, tuple[list[Path], list[Path]]] = {
        name: (
            [_found(Path(p), config, data_root) for p in section.annotations],
            [_found(Path(p), config, data_root) for p in section.images],
        )
        for name, section in sections.items()
    }
    # Test annotations are often kept back: what is here does without them.
    gone = {
        name: str(absent[0])
        for name, (files, images) in paths.items()
        if (absent := [path for path in (*files, *images) if not path.exists()])
    }
    if "train" not in gone:
        for name, path in gone.items():
            notes.append(f"data.{name}: {path} is not here, the split is left aside")
            del paths[name]
    missing = gone.get("train", "")
    folders = [folder for files, images in paths.values() for folder in (*(path.parent for path in files), *images)]
    if len({folder.is_absolute() for folder in folders}) > 1:
        paths = {
            name: ([path.absolute() for path in a], [path.absolute() for path in b]) for name, (a, b) in paths.items()
        }
        folders = [folder.absolute() for folder in folders]
    root = Path(os.path.commonpath(folders))
    splits: dict[str, dict[str, Any]] = {}
    for name, (files, images) in paths.items():
        splits[NAMES[name]] = _split(sections[name], files, images, root)
    # A split that is the same as another one measures nothing of its own.
    for later, earlier in (("report", "search"), ("search", "train"), ("report", "train")):
        if later in splits and splits.get(earlier) == splits[later]:
            del splits[later]
            if earlier == "train":
                notes.append(f"the config has the same files for {later} and train: {later} is cut from train")
    train = sections["train"]
    shown = ", ".join(dict.fromkeys(str(path) for section in sections.values() for path in section.annotations))
    layout = Layout(train.kind, f"{train.kind} data of the config ({shown})", splits, train.classes)
    return ConfigData(layout, None if missing else root.absolute(), train.repeat, missing)


def _unwrap(node: Any, where: str, notes: list[str]) -> Section | None:
    repeat, outer = 1, []
    while True:
        if isinstance(node, list | tuple):
            if len(node) != 1:
                raise InputError(f"{where}: has {len(node)} datasets, a split is one; merge their annotation files")
            node = node[0]
        kind = node.get("type")
        if kind == "RepeatDataset":
            repeat *= int(node.get("times", 1))
            node = node["dataset"]
        elif kind == "ClassBalancedDataset":
            notes.append(
                f"{where.rpartition(': ')[2]}: ClassBalancedDataset is not taken, every image is seen as often as the others"
            )
            node = node["dataset"]
        elif kind == "MultiImageMixDataset":
            outer = list(node.get("pipeline", []))
            node = node["dataset"]
        elif kind == "ConcatDataset":
            node = node["datasets"]
        else:
            break
    section = _section(node, where, notes)
    section.repeat = repeat
    section.pipeline = [dict(step) for step in (*node.get("pipeline", []), *outer)]
    return section


def _section(node: Any, where: str, notes: list[str]) -> Section:
    kind, given = str(node.get("type")), node.get("ann_file")
    files = [str(path) for path in (given if isinstance(given, list | tuple) else [given]) if path]
    if not files:
        raise InputError(f"{where}: has no ann_file; write the dataset by hand")
    prefix = node.get("img_prefix") or ""
    images = [str(path) for path in (prefix if isinstance(prefix, list | tuple) else [prefix])]
    if node.get("data_root"):
        files, images = ([os.path.join(node["data_root"], path) for path in paths] for paths in (files, images))
    short = where.rpartition(": ")[2]
    if kind in COCO or (kind not in VOC and files[0].endswith(".json")):
        ours = "coco"
        if len(files) > 1:
            raise InputError(f"{where}: has {len(files)} annotation files, a split has one; merge them into one")
    elif kind in VOC or "/ImageSets/" in files[0]:
        ours = "voc"
        if any(
            node.get(key, usual) != usual
            for key, usual in (("img_subdir", "JPEGImages"), ("ann_subdir", "Annotations"))
        ):
            raise InputError(
                f"{where}: has folders of its own names; name them in a task by hand: annotations: XML, images: IMAGES"
            )
    else:
        raise InputError(
            f"{where}: datasets of type {kind} are not read (COCO's JSON, VOC, YOLO and CrowdHuman are); convert it to COCO's JSON"
        )
    if kind not in (*COCO, *VOC):
        notes.append(f"{short}: its own class {kind} is not used, the files are read as {ours} data")
    for key in ("seg_prefix", "proposal_file"):
        if node.get(key):
            notes.append(f"{short}.{key}: not taken, there are no semantic maps and no proposals as input")
    other = sorted(set(node) - set(IGNORED) - {"img_subdir", "ann_subdir"})
    if other:
        notes.append(f"{short}: {', '.join(other)} not taken, a task's dataset has nothing like it")
    if short == "data.train" and node.get("filter_empty_gt", True):
        notes.append(
            "data.train: images without objects are kept (mmdet's filter_empty_gt leaves them out): a task always has them"
        )
    return Section(ours, files, images, _classes(node, where))


def _classes(node: Any, where: str) -> tuple[str, ...] | None:
    given = node.get("classes")
    if isinstance(given, str):
        path = Path(given)
        if not path.is_file():
            raise InputError(f"{where}: classes {given!r} is a file that is not here; give the file, or the names")
        text = decode(read_bytes(path), path)
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    return tuple(str(name) for name in given) if given else None


def _found(path: Path, config: Path, data_root: str | None) -> Path:
    """A path of a config: from --data-root, from here (as mmdet takes it), from the config's folder or one above it."""
    path = path.expanduser()
    if path.is_absolute():
        return path
    places = [Path(data_root).expanduser()] if data_root else [Path.cwd(), *config.parents]
    for place in places:
        if (place / path).exists():
            return Path(os.path.normpath((place / path).absolute()))
    return (places[0] / path) if data_root else path


def _split(section: Section, annotations: list[Path], images: list[Path], root: Path) -> dict[str, Any]:
    if section.kind == "coco":
        return {"annotations": _below(annotations[0], root), "images": _below(images[0], root)}
    sets = []
    for path in annotations:
        year = path.parent.parent.parent
        prefix = "" if year == root else f"{_below(year, root)}/"
        sets.append(f"{prefix}{path.stem}")
    return {"image_sets": sets}


def _below(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()
