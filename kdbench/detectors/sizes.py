"""Channels and strides of a built detector: read from its modules where they say, else from a small zero image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

LOOK = 128
"""Side of the zero image, in pixels: divisible by the usual strides."""


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
        conv = getattr(last, "conv3", None) or getattr(last, "conv2", None)
        if not hasattr(conv, "out_channels"):
            return None
        channels.append(int(conv.out_channels))
    return tuple(channels)


def neck_channels(model: Any) -> tuple[int, ...] | None:
    """Channels of each level, as a neck of the FPN kind declares them; else None."""
    neck = getattr(model, "neck", None)
    out, levels = getattr(neck, "out_channels", None), getattr(neck, "num_outs", None)
    if isinstance(out, int) and isinstance(levels, int):
        return (out,) * levels
    return None


def neck_strides(model: Any) -> tuple[int, ...] | None:
    """Strides of the anchor or point generator; None for a detector without one."""
    rpn = getattr(model, "rpn_head", None)
    head: Any = rpn if rpn is not None else getattr(model, "bbox_head", None)
    if hasattr(head, "stages"):  # cascade RPN
        head = head.stages[0]
    for name in ("prior_generator", "anchor_generator", "approx_anchor_generator"):
        strides = getattr(getattr(head, name, None), "strides", None)
        if strides:
            return tuple(int(s[0] if isinstance(s, (tuple, list)) else s) for s in strides)
    return None


def dry_forward(model: nn.Module) -> Look:
    """One forward of backbone and neck over zeros, in eval mode, leaving modes and random streams as they were."""
    modes = {module: module.training for module in model.modules()}
    device = next(model.parameters()).device
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng():
            backbone = model.backbone(torch.zeros(1, 3, LOOK, LOOK, device=device))
            backbone = backbone if isinstance(backbone, (tuple, list)) else (backbone,)
            neck = model.neck(backbone) if getattr(model, "neck", None) is not None else backbone
            neck = neck if isinstance(neck, (tuple, list)) else (neck,)
    finally:
        for module, mode in modes.items():
            module.training = mode
    # Rounding up hides in a map's size: 5 cells of 128 pixels are stride 32, not 25.
    strides = tuple(2 ** round(torch.tensor(LOOK / level.shape[-1]).log2().item()) for level in neck)
    return Look(tuple(b.shape[1] for b in backbone), tuple(n.shape[1] for n in neck), strides)
