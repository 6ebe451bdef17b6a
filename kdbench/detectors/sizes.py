"""Channels and strides of a built detector: read from its modules where they say, else from a small zero image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kdbench.errors import InputError
from kdbench.methods.base import Box

SIDES = (128, 512)
"""Sides of the zero image, in pixels, divisible by the usual strides: the larger one if the smaller is too small."""


@dataclass(frozen=True)
class Look:
    """What a forward pass showed."""

    backbone_channels: tuple[int, ...]
    neck_channels: tuple[int, ...]
    neck_strides: tuple[int, ...]


def backbone_channels(model: Any) -> tuple[int, ...] | None:
    """Channels of each backbone output of a ResNet and its relatives (any depth, base width, groups); else None."""
    backbone = model.backbone
    names = getattr(backbone, "res_layers", None)
    indices = getattr(backbone, "out_indices", None)
    if not names or indices is None or not all(isinstance(name, str) for name in names):
        return None
    channels = []
    for index in indices:
        if not 0 <= index < len(names):
            return None
        last = list(getattr(backbone, names[index]).children())[-1]
        # A bottleneck widens in its third convolution, a basic block ends with its second.
        conv: Any = getattr(last, "conv3", None) or getattr(last, "conv2", None)
        if not hasattr(conv, "out_channels"):
            return None
        channels.append(int(conv.out_channels))
    return tuple(channels)


def neck_channels(model: Any) -> tuple[int, ...] | None:
    """Channels of each level, as a neck of the FPN kind declares them; else None."""
    neck: Any = getattr(model, "neck", None)
    out, levels = getattr(neck, "out_channels", None), getattr(neck, "num_outs", None)
    if isinstance(out, int) and isinstance(levels, int):
        return (out,) * levels
    return None


def neck_strides(model: Any) -> tuple[int, ...] | None:
    """Strides of the anchor or point generator; None for a detector without one."""
    strides = next((s for generator in _generators(model) if (s := getattr(generator, "strides", None))), None)
    if not strides:
        return None
    return tuple(int(s[0] if isinstance(s, (tuple, list)) else s) for s in strides)


def base_anchors(model: Any) -> tuple[tuple[Box, ...], ...]:
    """Per level, the anchors of the first cell; empty for a detector without anchors."""
    base = next((b for generator in _generators(model) if (b := getattr(generator, "base_anchors", None))), ())
    return tuple(tuple(tuple(box) for box in level.tolist()) for level in base)


def score_channels(head: Any) -> int:
    """Channels of a dense head's class map (anchors of a cell x K); 0 if it does not say."""
    scores, anchors = getattr(head, "cls_out_channels", None), getattr(head, "num_base_priors", 1)
    return int(scores) * int(anchors) if isinstance(scores, int) and isinstance(anchors, int) else 0


def bins(head: Any) -> int:
    """Columns of a box side's distribution, for a head of the GFL kind; else 0."""
    reg_max = getattr(head, "reg_max", None)
    return int(reg_max) + 1 if isinstance(reg_max, int) and hasattr(head, "integral") else 0


def _generators(model: Any) -> Iterator[Any]:
    """The anchor or point generators of the RPN or, without one, of the dense head."""
    rpn = getattr(model, "rpn_head", None)
    head: Any = rpn if rpn is not None else getattr(model, "bbox_head", None)
    if hasattr(head, "stages"):  # cascade RPN
        head = head.stages[0]
    for name in ("prior_generator", "anchor_generator", "approx_anchor_generator"):
        generator = getattr(head, name, None)
        if generator is not None:
            # Heads keep older names as properties that warn: the first one found is asked for, and no other.
            yield generator


def dry_forward(model: nn.Module) -> Look:
    """One forward of backbone and neck over zeros, in eval mode, leaving modes and random streams as they were.

    Raises:
        InputError: the detector does not run over them.
    """
    modes = {module: module.training for module in model.modules()}
    device = next(model.parameters()).device
    model.eval()
    try:
        for side in SIDES:
            try:
                backbone, neck = _forward(model, torch.zeros(1, 3, side, side, device=device))
                break
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
        else:
            raise InputError(f"model {type(model).__name__}: backbone and neck do not run over an image ({reason})")
    finally:
        for module, mode in modes.items():
            module.training = mode
    # Rounding up hides in a map's size: 5 cells of 128 pixels are stride 32, not 25.
    strides = tuple(2 ** round(math.log2(side / level.shape[-1])) for level in neck)
    return Look(tuple(b.shape[1] for b in backbone), tuple(n.shape[1] for n in neck), strides)


def _forward(model: Any, image: Tensor) -> tuple[Any, Any]:
    with torch.no_grad(), torch.random.fork_rng():
        backbone = model.backbone(image)
        backbone = backbone if isinstance(backbone, (tuple, list)) else (backbone,)
        neck = model.neck(backbone) if getattr(model, "neck", None) is not None else backbone
    return backbone, neck if isinstance(neck, (tuple, list)) else (neck,)
