"""Foreground and background cells: what a mask splits, less what is left out of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from kdbench.methods.base import Batch
from kdbench.methods.shared import masks

IgnoreMode = Literal["background", "exclude"]


@dataclass(frozen=True)
class Regions:
    """The cells of one map that count on either side.

    Shapes: fg, bg (N, H, W), bool, never both at a cell.
    """

    fg: Tensor
    bg: Tensor

    def resized(self, size: masks.Size) -> Regions:
        return Regions(masks.resize_nearest(self.fg, size), masks.resize_nearest(self.bg, size))


def regions(
    painted: Sequence[Tensor],
    batch: Batch,
    strides: Sequence[int],
    *,
    ignore_mode: IgnoreMode = "background",
    exclude_padding: bool = False,
) -> tuple[Regions, ...]:
    """Split each level's map by its mask.

    fg = M, bg = not M. `exclude_padding` takes cells outside the image from both; `ignore_mode="exclude"` takes the
    cells of ignored boxes from the background, at every level, because a crowd holds objects of any scale. A cell
    that also belongs to an object stays foreground.

    Shapes: painted per level (N, H_l, W_l), bool.
    """
    sizes = [(int(mask.shape[-2]), int(mask.shape[-1])) for mask in painted]
    fg, bg = list(painted), [~mask for mask in painted]
    if ignore_mode == "exclude":
        ignored = masks.all_levels_masks(batch.ignored, strides, sizes)
        bg = [side & ~left_out for side, left_out in zip(bg, ignored, strict=True)]
    if exclude_padding:
        inside = masks.inside_masks(batch.image_sizes, strides, sizes, painted[0].device)
        fg = [side & kept for side, kept in zip(fg, inside, strict=True)]
        bg = [side & kept for side, kept in zip(bg, inside, strict=True)]
    return tuple(Regions(*pair) for pair in zip(fg, bg, strict=True))
