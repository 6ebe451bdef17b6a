"""Model configurations: mmdet's own by name, the user's by path, with overrides by dotted path."""

from __future__ import annotations

import copy
import difflib
import importlib.util
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.detectors.changes import dicts, drop_pretrained, set_norm, set_num_classes, thaw
from kdbench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from mmcv import Config

__all__ = [
    "detector_names",
    "drop_pretrained",
    "families",
    "find",
    "load_model_config",
    "normalisation",
    "set_norm",
    "set_num_classes",
    "thaw",
]


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
    try:
        cfg = _parse(path)
    except Exception as error:  # a config is Python: anything may go wrong inside it
        kind = type(error).__name__
        raise InputError(f"{path}: not an mmdet config ({kind}: {_line(error)}); correct the file") from None
    if not isinstance(cfg.get("model"), dict):
        raise InputError(f"{path}: has no `model`; give the config of a detector")
    for key, value in overrides.items():
        _override(cfg, key, value, config)
    return cfg


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


def _parse(path: Path) -> Config:
    from mmcv import Config

    for _ in range(3):
        try:
            return Config.fromfile(str(path))
        except SystemError:
            # Python before 3.11.8 counts the depth of a syntax tree wrongly when two are built at once (gh-106905).
            continue
    return Config.fromfile(str(path))


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


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
