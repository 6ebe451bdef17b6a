"""Changes that kdbench makes to a model's configuration: number of classes, normalisation, initial weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError

if TYPE_CHECKING:
    from mmcv import Config

HEADS_WITHOUT_CLASSES = ("backbone", "neck", "rpn_head", "semantic_head", "train_cfg", "test_cfg")
"""Parts of a model whose `num_classes`, if any, is not the number of detected classes."""


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
        backbone["frozen_stages"] = -1


def dicts(node: Any) -> list[dict[str, Any]]:
    """Every dict inside `node`, itself first."""
    if isinstance(node, dict):
        return [node, *(inner for value in node.values() for inner in dicts(value))]
    if isinstance(node, (list, tuple)):
        return [inner for item in node for inner in dicts(item)]
    return []


def _accepts(kind: str | None, argument: str, default_type: str | None = None) -> bool:
    """Does the backbone class `kind` take `argument` (with a norm of `default_type` as its default)?"""
    import inspect

    from kdbench import ops

    ops.install()
    from mmdet.models import BACKBONES

    cls = BACKBONES.get(kind) if kind else None
    for parent in inspect.getmro(cls) if cls else ():
        parameters = inspect.signature(vars(parent)["__init__"]).parameters if "__init__" in vars(parent) else {}
        if argument in parameters:
            default = parameters[argument].default
            return default_type is None or (isinstance(default, dict) and default.get("type") == default_type)
        if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return False
    return False
