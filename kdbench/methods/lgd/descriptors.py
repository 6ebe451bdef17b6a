"""What LGD's label encoder is told of each token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kdbench.methods.lgd.tokens import Tokens

CROP = 7
"""Rows and columns of an object's mask in its description."""


def length(classes: int, one_hot: bool, masks: bool) -> int:
    """How many numbers describe a token.

    Example:
        >>> length(80, True, False), length(80, True, True)
        (84, 133)
    """
    return 4 + (classes if one_hot else 1) + (CROP * CROP if masks else 0)


def descriptors(
    tokens: Tokens, labels: Sequence[Tensor], classes: int, one_hot: bool = True, crops: Sequence[Tensor] | None = None
) -> Tensor:
    """Box in shares of the canvas, class, and the mask inside the box where there are masks; every v as 2v - 1.

    A context token and a dummy have no class (all -1). A context's mask is all 1, a dummy's all -1.

    Shapes: labels per image (G,); crops per image (G, 7, 7) of 0 and 1; -> (T, k).
    """
    height, width = tokens.canvas
    x1, y1, x2, y2 = torch.cat(tokens.boxes).unbind(1)
    parts = [torch.stack([x1 / width, y1 / height, x2 / width, y2 / height], dim=1)]
    parts.append(torch.cat([_classes(ids, classes, one_hot, tokens) for ids in labels]))
    if crops is not None:
        parts.append(torch.cat([_crops(crop, tokens) for crop in crops]))
    return torch.cat(parts, dim=1) * 2 - 1


def crops_of(masks: Tensor, boxes: Tensor) -> Tensor:
    """Each mask inside its box in 7x7 bins: 1 where it covers half of a bin or more; 0 for a box without area.

    Shapes: masks (G, h, w) bool; boxes (G, 4) in pixels -> (G, 7, 7) float32.
    """
    rows = _shares(boxes[:, 1::2], masks.shape[1])
    columns = _shares(boxes[:, 0::2], masks.shape[2])
    covered = rows @ masks.to(boxes.dtype) @ columns.transpose(1, 2)
    return (covered >= 0.5).to(boxes.dtype)


def _shares(sides: Tensor, pixels: int) -> Tensor:
    """(G, 2) from, to -> (G, 7, pixels): which share of each bin a pixel makes up."""
    edges = torch.linspace(0, 1, CROP + 1, dtype=sides.dtype, device=sides.device)
    start, end = sides.unsqueeze(-1).unbind(1)
    bins = (start + (end - start) * edges).unsqueeze(-1)
    places = torch.arange(pixels, dtype=sides.dtype, device=sides.device)
    overlap = torch.minimum(bins[:, 1:], places + 1) - torch.maximum(bins[:, :-1], places)
    return overlap.clamp(min=0) / ((end - start) / CROP).unsqueeze(-1).clamp(min=1e-6)


def _classes(ids: Tensor, classes: int, one_hot: bool, tokens: Tokens) -> Tensor:
    places = torch.arange(classes, device=ids.device)
    known = ids[:, None] == places if one_hot else ids[:, None] / classes
    return _with_extra(known.float(), 0.0, tokens)


def _crops(crops: Tensor, tokens: Tokens) -> Tensor:
    return _with_extra(crops.reshape(len(crops), CROP * CROP).float(), float(len(crops) > 0), tokens)


def _with_extra(known: Tensor, value: float, tokens: Tokens) -> Tensor:
    """One row more, all `value`, for the context or a dummy."""
    if len(known) and not tokens.context:
        return known
    return torch.cat([known, known.new_full((1, known.shape[1]), value)])
