"""Model configurations: mmdet's own by name, the user's by path, with overrides by dotted path."""

from __future__ import annotations

import copy
import difflib
import importlib.util
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.detectors import needs, reading
from kdbench.detectors.changes import (
    dicts,
    drop_pretrained,
    mend_norm,
    set_norm,
    set_num_classes,
    take_in_outer,
    thaw,
)
from kdbench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from mmcv import Config

    from kdbench.specs.training import ModelSpec, ScheduleSpec

__all__ = [
    "detector_names",
    "drop_pretrained",
    "families",
    "find",
    "load_model_config",
    "normalisation",
    "notes",
    "pad_divisor",
    "set_norm",
    "set_num_classes",
    "teacher_model",
    "thaw",
    "trained_model",
]


WEIGHTS = (".pth", ".pt", ".ckpt", ".pkl", ".safetensors", ".onnx")
"""How files of weights end, which are given where a config belongs."""


def load_model_config(config: str, overrides: dict[str, Any], base: Path | None = None) -> Config:
    """Read an mmdet configuration and change it.

    `config` is one of mmdet's own names, with or without `.py`, or the path of a file (absolute, or relative to
    `base` or the working directory). The path wins if both exist. `overrides` are dotted paths; a number
    indexes a list.

    Example:
        >>> cfg = load_model_config("retinanet/retinanet_r50_fpn_1x_coco", {"model.backbone.depth": 18})
        >>> cfg.model.backbone.depth
        18

    Raises:
        InputError: no such config (with the nearest names), a broken file, or an override that leads nowhere.
    """
    from kdbench import ops

    ops.install()  # imports mmcv, without what it says when it is imported
    path = find(config, base)
    if path.suffix in WEIGHTS:
        raise InputError(
            f"{path}: is a file of weights and no config; give the config that they belong to, and the weights as the "
            "model's `init` or by `kdbench search --teacher FILE`"
        )
    cfg = reading.parse(path)
    if not isinstance(cfg.get("model"), dict):
        if reading.is_of_mmdet_3(path):
            raise InputError(f"{path}: is {reading.MMDET_3}")
        raise InputError(f"{path}: has no `model`; give the config of a detector")
    take_in_outer(cfg)
    for key, value in overrides.items():
        _override(cfg, key, value, config)
    return cfg


def trained_model(spec: ModelSpec, classes: int, schedule: ScheduleSpec, role: str = "student") -> Config:
    """The config of a detector as a training builds it: classes, normalisation, initial weights, frozen stages.

    `role` is what a task calls it: student or teacher.

    Raises:
        InputError: no such config, or one that no task can train.
    """
    cfg = load_model_config(spec.config, dict(spec.set))
    reason = needs.refusal(cfg, role)
    if reason:
        raise InputError(f"{spec.config}: {reason}")
    set_num_classes(cfg, classes)
    set_norm(cfg, schedule.norm, schedule.freezes_norm(spec))
    mend_norm(cfg)
    if not spec.pretrained:
        drop_pretrained(cfg)
        if not spec.init and "model.backbone.frozen_stages" not in spec.set:
            thaw(cfg)
    return cfg


def teacher_model(config: str, changes: dict[str, Any], classes: int) -> Config:
    """The config of a detector that only looks at images: its weights are given, its normalisation is what it was."""
    cfg = load_model_config(config, changes)
    set_num_classes(cfg, classes)
    mend_norm(cfg)
    drop_pretrained(cfg)
    return cfg


def notes(names: Iterable[str]) -> tuple[str, ...]:
    """What of configs a task does not take: a line for each one of which there is something to say.

    Raises:
        InputError: no such config, or a broken file.
    """
    told = []
    for config in dict.fromkeys(names):
        path = find(config)
        found = reading.not_taken(reading.parse(path), own=path.is_relative_to(_mim().resolve()))
        if found:
            told.append(f"{config}: only `model` is taken; not read: {', '.join(found)}")
    return tuple(told)


def normalisation(cfg: Config) -> dict[str, Any] | None:
    """How the config's own pipeline normalises images: mean, std, to_rgb. None if it does not say.

    Example:
        >>> normalisation(load_model_config("retinanet/retinanet_r50_caffe_fpn_1x_coco", {}))["to_rgb"]
        False
    """
    own = cfg.get("data") or {}
    for split in ("test", "val", "train"):
        for step in dicts(own.get(split)):
            if step.get("type") == "Normalize":
                return {"mean": list(step["mean"]), "std": list(step["std"]), "to_rgb": bool(step.get("to_rgb", True))}
    return None


def pad_divisor(cfg: Config) -> int | None:
    """The multiple that the config's own pipeline pads images to; None if it does not say."""
    for step in dicts((cfg.get("data") or {}).get("test")):
        if step.get("type") == "Pad" and step.get("size_divisor"):
            return int(step["size_divisor"])
    return None


def find(config: str, base: Path | None = None) -> Path:
    """The file that `config` names.

    Raises:
        InputError: there is none; names the nearest ones.
    """
    given = Path(config).expanduser()
    names = [given] if given.suffix == ".py" else [given.with_name(given.name + ".py"), given]
    for folder in (base, Path.cwd(), _mim()):
        for name in names:
            if folder is not None and (folder / name).is_file():
                return (folder / name).resolve()
    wanted = config.removesuffix(".py")
    known = detector_names()
    leaves: dict[str, list[str]] = defaultdict(list)
    for own in known:
        leaves[own.rsplit("/", 1)[-1]].append(own)
    near = difflib.get_close_matches(wanted, known, n=2, cutoff=0.6)
    for leaf in difflib.get_close_matches(wanted.rsplit("/", 1)[-1], leaves, n=2, cutoff=0.7):
        near += [own for own in leaves[leaf] if own not in near]
    hint = "see `kdbench list detectors`, or give a file's path"
    if near:
        hint = f"nearest of mmdet's own: {', '.join(near[:3])}"
    raise InputError(f"model config {config!r}: no such file and none of mmdet's own; {hint}")


def detector_names() -> list[str]:
    """mmdet's own configs, as `family/name` without `.py`.

    Example:
        >>> "retinanet/retinanet_r50_fpn_1x_coco" in detector_names()
        True
    """
    root = _mim()
    files = (path.relative_to(root) for path in root.glob("*/**/*.py"))
    return sorted(str(path.with_suffix("")) for path in files if path.parts[0] != "_base_")


def families() -> dict[str, list[str]]:
    """The names of `detector_names` by family: the folder they lie in."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in detector_names():
        groups[name.split("/", 1)[0]].append(name)
    return dict(groups)


def _override(cfg: Config, key: str, value: Any, config: str) -> None:
    from mmcv.utils import ConfigDict

    parts = key.split(".")
    node: Any = cfg._cfg_dict
    for depth, part in enumerate(parts):
        here = ".".join(parts[:depth]) or "the config"
        where = f"model config {config!r}: override {key!r}"
        last = depth == len(parts) - 1
        if isinstance(node, dict):
            if not last and part not in node:
                raise InputError(f"{where}: {here} has no {part!r}; {did_you_mean(part, map(str, node))}")
            slot: Any = part
        elif isinstance(node, list):
            if not part.isdigit() or int(part) >= len(node):
                raise InputError(f"{where}: {here} is a list of {len(node)}; give an index from 0 to {len(node) - 1}")
            slot = int(part)
        else:
            raise InputError(f"{where}: {here} is {node!r} and has no {part!r}; set {here} as a whole")
        if last:
            # Through a ConfigDict, so that dicts inside the value become attribute dicts as mmdet expects.
            node[slot] = ConfigDict(value=copy.deepcopy(value)).value
        else:
            node = node[slot]


def _mim() -> Path:
    """The folder of mmdet's own configs, found without importing mmdet."""
    spec = importlib.util.find_spec("mmdet")
    if spec is None or spec.origin is None:
        raise InputError("mmdet is not installed; install kdbench with its dependencies (see the README)")
    return Path(spec.origin).parent / ".mim" / "configs"
