"""Model configuration -> model, and what a method may know about it."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from kdbench.detectors import changes, sizes, taps
from kdbench.detectors.quiet import quiet_mmcv
from kdbench.errors import InputError, KDBenchError
from kdbench.methods.base import DetectorInfo

NEVER = 1_000_000_000
"""More iterations than any training has."""


def build(model_cfg: Any, seed: int | None) -> nn.Module:
    """Build a detector with initialised weights.

    With a seed the weights depend on it alone and the caller's random streams are left as they were; with None
    they are drawn from the caller's streams.

    Example:
        >>> cfg = load_model_config("retinanet/retinanet_r50_fpn_1x_coco", {"model.backbone.init_cfg": None})
        >>> student = build(cfg.model, seed=0)

    Raises:
        InputError: mmdet refuses the config, or initial weights cannot be fetched.
    """
    with _streams(0):  # something in the first import of mmdet draws random numbers
        from kdbench import ops

        ops.install()
        from mmdet.models import build_detector

        from kdbench.detectors import mending

        mending.install()

    where = f"model config of type {model_cfg.get('type')}"
    with _streams(seed), quiet_mmcv(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="DeprecationWarning: pretrained is deprecated")
        try:
            model = build_detector(copy.deepcopy(model_cfg))
        except (
            TypeError,
            KeyError,
            AssertionError,
            ValueError,
            AttributeError,
            ImportError,
            OSError,
            RuntimeError,
        ) as error:
            raise InputError(
                f"{where}: mmdet cannot build it ({_of_another(model_cfg, error) or _line(error)}); correct the config or override"
            ) from error
        try:
            model.init_weights()
        except OSError as error:
            raise InputError(
                f"{where}: its initial weights cannot be fetched ({_line(error)}); "
                "set `pretrained: false` for this model, or copy the file into the torch hub cache"
            ) from error
        except (KDBenchError, MemoryError):
            raise
        except Exception as error:  # a text, zeros, half a file: torch fails at each in another way
            named = ", ".join(dict.fromkeys(_checkpoints(model_cfg)))
            if not named and isinstance(error, TypeError):
                raise InputError(
                    f"{where}: an init_cfg is not as mmcv wants it ({_line(error)}); correct it"
                ) from error
            if not named:
                raise InputError(
                    f"{where}: cannot be initialised ({_line(error)}); correct the config or override"
                ) from error
            raise InputError(
                f"{where}: {named}: is not a torch checkpoint, or not of this model; give a file of weights in init_cfg"
            ) from error
    return model


def _of_another(cfg: Any, error: Exception) -> str:
    """The part that another package would have to register (`mmcls.X`), where mmcv only stumbles over its absence."""
    if not (isinstance(error, AttributeError) and "has no attribute 'parent'" in str(error)):
        return ""
    kinds = [str(node.get("type")) for node in changes.dicts(cfg)]
    found = next((kind for kind in kinds if "." in kind and not kind.startswith("mmdet.")), None)
    return f"{found} is of another package, which no custom_imports of the config imports" if found else ""


def _checkpoints(cfg: Any) -> Iterator[str]:
    """The files that a config takes initial weights from."""
    if isinstance(cfg, dict):
        if isinstance(cfg.get("checkpoint"), str):
            yield cfg["checkpoint"]
        for value in cfg.values():
            yield from _checkpoints(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from _checkpoints(value)


def info(model: nn.Module, model_cfg: Any) -> DetectorInfo:
    """What a method may know about a detector: family, classes, channels and strides.

    `backbone_channels[0]` is the backbone's first output: C2 with mmdet's usual `out_indices` (0, 1, 2, 3).

    Raises:
        InputError: it is not a detector with a box or mask head.
    """
    roi_head = getattr(model, "roi_head", None)
    head = roi_head if roi_head is not None else getattr(model, "bbox_head", None)
    if head is None:
        head = getattr(model, "mask_head", None)
    num_classes = _num_classes(roi_head.bbox_head if roi_head is not None else head)
    if head is None or num_classes is None:
        raise InputError(f"model of type {model_cfg.get('type')} has no head with classes; give a detector's config")
    neck_channels = sizes.neck_channels(model)
    backbone_channels = sizes.backbone_channels(model)
    strides = sizes.neck_strides(model)
    if neck_channels is None or backbone_channels is None or strides is None or len(strides) != len(neck_channels):
        look = sizes.dry_forward(model)
        neck_channels = neck_channels or look.neck_channels
        backbone_channels = backbone_channels or look.backbone_channels
        if strides is None or len(strides) != len(neck_channels):
            neck_channels, strides = look.neck_channels, look.neck_strides
    return DetectorInfo(
        family="one_stage" if roi_head is None else "two_stage",
        num_classes=num_classes,
        neck_channels=neck_channels,
        neck_strides=strides,
        backbone_channels=backbone_channels,
        head=type(head).__name__,
        base_anchors=sizes.base_anchors(model),
        score_channels=0 if roi_head is not None else sizes.score_channels(head),
        bins=sizes.bins(head),
        masks=bool(getattr(model, "with_mask", False)),
        roi_logits=taps.no_roi_logits(model) is None,
    )


def check_sizes(model: nn.Module, what: str) -> None:
    """Refuse a student that resizes its batches itself (YOLOX): the teacher and the boxes of a method would not follow.

    Raises:
        InputError: with the setting that switches it off.
    """
    interval = getattr(model, "_random_size_interval", None)
    if interval is not None and interval < NEVER:
        raise InputError(
            f"{what}: {type(model).__name__} resizes its batches inside the model, where neither the teacher nor a resumed "
            f"training follows; set student.model.random_size_interval={NEVER} and, for several sizes, pipeline.short_sides"
        )


def _num_classes(head: Any) -> int | None:
    if isinstance(head, nn.ModuleList):
        head = head[-1]
    value = getattr(head, "num_classes", None)
    return int(value) if value is not None else None


@contextmanager
def _streams(seed: int | None) -> Iterator[None]:
    if seed is None:
        yield
        return
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
