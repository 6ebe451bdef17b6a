"""Changes that kdbench makes to a model's configuration: number of classes, normalisation, initial weights."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError

if TYPE_CHECKING:
    from mmcv import Config

HEADS_WITHOUT_CLASSES = ("backbone", "neck", "rpn_head", "semantic_head", "train_cfg", "test_cfg")
"""Parts of a model whose `num_classes`, if any, is not the number of detected classes."""

SMALLEST_EPS = 1e-10


def set_num_classes(cfg: Config, num_classes: int) -> None:
    """Give every box and mask head, also of a cascade, the number of classes.

    Raises:
        InputError: the model has no head with classes.
    """
    found = 0

    def visit(node: Any, is_box_head: bool) -> None:
        nonlocal found
        if isinstance(node, (list, tuple)):
            for item in node:
                visit(item, is_box_head)
        elif isinstance(node, dict):
            # A box head may leave the number out and so mean COCO's 80.
            if "num_classes" in node or (is_box_head and "type" in node):
                node["num_classes"] = num_classes
                found += 1
            for key, value in node.items():
                if key not in HEADS_WITHOUT_CLASSES:
                    visit(value, key == "bbox_head")

    visit(cfg.model, False)
    if not found:
        raise InputError(f"model of type {cfg.model.get('type')} has no head with classes; give a detector's config")


def set_norm(cfg: Config, norm: str, frozen: bool) -> None:
    """Choose the batch normalisation: `BN` or `SyncBN`, with running statistics in training (frozen) or the batch's.

    Layers of another kind (GN, LN) stay what they are. Frozen is mmdet's `norm_eval`: scale and shift are still learnt
    unless the config says otherwise.
    """
    backbone = cfg.model.get("backbone", {})
    if "norm_cfg" not in backbone and norm != "BN" and _accepts(backbone.get("type"), "norm_cfg", "BN"):
        backbone["norm_cfg"] = type(backbone)(type=norm, requires_grad=True)
    if "norm_eval" in backbone or _accepts(backbone.get("type"), "norm_eval"):
        backbone["norm_eval"] = frozen
    if not frozen and (backbone.get("norm_cfg") or {}).get("requires_grad") is False:
        backbone["norm_cfg"]["requires_grad"] = True
    for node in dicts(cfg.model):
        norm_cfg = node.get("norm_cfg")
        if isinstance(norm_cfg, dict) and norm_cfg.get("type") in ("BN", "BN2d", "SyncBN", "MMSyncBN"):
            norm_cfg["type"] = norm


def drop_pretrained(cfg: Config) -> None:
    """Remove initial weights that would have to be fetched (ImageNet backbones and the like)."""
    for node in dicts(cfg.model):
        if node.get("pretrained") is not None:
            node["pretrained"] = None
        init = node.get("init_cfg")
        # Transformers' configs name a checkpoint without a type.
        if isinstance(init, dict) and "checkpoint" in init:
            node["init_cfg"] = None
        elif isinstance(init, (list, tuple)):
            kept = [item for item in init if "checkpoint" not in item]
            node["init_cfg"] = kept or None


def thaw(cfg: Config) -> None:
    """Let every stage of the backbone learn: mmdet's configs freeze the first ones, which holds only for weights to keep."""
    backbone = cfg.model.get("backbone", {})
    if "frozen_stages" in backbone:
        # Frozen by default is no backbone; but what says so is -1 for most and 0 for EfficientNet.
        parameter = _parameter(backbone.get("type"), "frozen_stages")
        default = parameter.default if parameter else None
        backbone["frozen_stages"] = default if isinstance(default, int) else -1


def take_in_outer(cfg: Config) -> None:
    """`train_cfg` and `test_cfg` beside the model, as mmdet's configs had them before 2.8, into the model.

    Raises:
        InputError: the model has them as well.
    """
    for key in ("train_cfg", "test_cfg"):
        if cfg.get(key) is None:
            continue
        if cfg.model.get(key) is not None:
            raise InputError(f"{cfg.filename}: has `{key}` in `model` and beside it; keep one of them")
        cfg.model[key] = cfg._cfg_dict.pop(key)


def mend_norm(cfg: Config) -> None:
    """Batch normalisation that torch or a machine without processes refuses: eps 0 (NAS-FCOS), the kind of a group's own.

    The weights are the same: eps becomes too small to matter, `MMSyncBN` is `SyncBN` under another name.
    """
    for node in dicts(cfg.model):
        norm_cfg = node.get("norm_cfg")
        if isinstance(norm_cfg, dict) and str(norm_cfg.get("type")).endswith(("BN", "BN2d")):
            if norm_cfg.get("eps") == 0:
                norm_cfg["eps"] = SMALLEST_EPS
            if norm_cfg["type"] == "MMSyncBN":
                norm_cfg["type"] = "SyncBN"


def dicts(node: Any) -> list[dict[str, Any]]:
    """Every dict inside `node`, itself first."""
    if isinstance(node, dict):
        return [node, *(inner for value in node.values() for inner in dicts(value))]
    if isinstance(node, (list, tuple)):
        return [inner for item in node for inner in dicts(item)]
    return []


def _accepts(kind: str | None, argument: str, default_type: str | None = None) -> bool:
    """Does the backbone class `kind` take `argument` (with a norm of `default_type` as its default)?"""
    found = _parameter(kind, argument)
    if found is None or default_type is None:
        return found is not None
    return isinstance(found.default, dict) and found.default.get("type") == default_type


def _parameter(kind: str | None, argument: str) -> inspect.Parameter | None:
    """The parameter of the backbone class `kind`, or of the parent that it hands its keywords to."""

    from kdbench import ops

    ops.install()
    from mmdet.models import BACKBONES

    # `mmcls.X` is another package's: what mmcv says where that is missing comes when the model is built.
    cls = BACKBONES.get(kind) if isinstance(kind, str) and "." not in kind else None
    for parent in inspect.getmro(cls) if cls else ():
        parameters = inspect.signature(vars(parent)["__init__"]).parameters if "__init__" in vars(parent) else {}
        if argument in parameters:
            return parameters[argument]
        if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return None
    return None
