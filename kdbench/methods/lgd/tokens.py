"""LGD's tokens: the objects of a batch, how they are described, and which cells they cover."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kdbench.methods.base import Batch

Size = tuple[int, int]


@dataclass(frozen=True)
class Tokens:
    """Tokens of all images, image by image; with `context` the last one of each image stands for the whole input.

    An image without objects has one token all the same: a dummy of one pixel, as context or else as an object.

    Attributes:
        canvas: padded input height, width.
        context: each image has a context token.
        boxes: per image (n_i, 4) x1, y1, x2, y2 in pixels, inside the canvas.
        index: (T,) where a token stands among N rows of S slots, S the most tokens of an image.
        bitmaps: per image (n_i, h, w) bool over the image before padding; None: boxes say what is covered.
    """

    canvas: Size
    context: bool
    boxes: list[Tensor]
    index: Tensor
    bitmaps: list[Tensor] | None = None

    @property
    def counts(self) -> list[int]:
        return [len(boxes) for boxes in self.boxes]

    def padded(self, flat: Tensor) -> Tensor:
        """(T, D) -> (N, S, D), zeros where an image has fewer tokens than another."""
        images, slots = len(self.counts), max(self.counts)
        rows = flat.new_zeros(images * slots, flat.shape[1])
        return rows.index_copy(0, self.index, flat).reshape(images, slots, -1)

    def flat(self, padded: Tensor) -> Tensor:
        """(N, S, D) -> (T, D)."""
        return padded.flatten(0, 1)[self.index]

    def empty(self) -> Tensor:
        """Slots without a token, (N, S) bool."""
        real = torch.ones(len(self.index), 1, device=self.index.device)
        return self.padded(real).squeeze(-1) == 0

    def masks(self, size: Size) -> list[Tensor]:
        """Per image the cells that each token covers at a level, (n_i, h, w) float32, 0 or 1.

        Box: cells (y, x) with |y - cy| / height <= 0.5 and |x - cx| / width <= 0.5, the box in cells and the index of a
        cell as its place. So a small box may cover none, and one without area does. Bitmap: its nearest pixel.
        """
        if self.bitmaps is not None:
            return [_resized(bitmap, self.canvas, size).float() for bitmap in self.bitmaps]
        return [_inside(boxes, self.canvas, size).float() for boxes in self.boxes]


def tokens_of(batch: Batch, context: bool, segmentation: bool) -> Tokens:
    """The tokens of a batch; boxes are cut to x <= W - 1, y <= H - 1."""
    boxes = [_inside_canvas(_rows(given.float(), batch.size, context), batch.size) for given in batch.boxes]
    slots = max(len(rows) for rows in boxes)
    index = [torch.arange(len(rows), device=rows.device) + slots * image for image, rows in enumerate(boxes)]
    bitmaps = None
    if segmentation:
        assert batch.masks is not None
        pairs = zip(batch.masks, batch.image_sizes, strict=True)
        bitmaps = [_bitmaps(masks, size, context) for masks, size in pairs]
    return Tokens(batch.size, context, boxes, torch.cat(index), bitmaps)


def _rows(boxes: Tensor, canvas: Size, context: bool) -> Tensor:
    if not len(boxes):
        return torch.cat([boxes.new_zeros(1, 2), boxes.new_ones(1, 2)], dim=1)
    if not context:
        return boxes
    height, width = (boxes.new_full((1, 1), side) for side in canvas)
    return torch.cat([boxes, torch.cat([boxes.new_zeros(1, 2), width, height], dim=1)])


def _inside_canvas(boxes: Tensor, canvas: Size) -> Tensor:
    x, y = boxes[:, 0::2].clamp(0, canvas[1] - 1), boxes[:, 1::2].clamp(0, canvas[0] - 1)
    return torch.stack([x, y], dim=2).flatten(1)


def _bitmaps(masks: Tensor, size: Size, context: bool) -> Tensor:
    """Masks of an image's tokens: the context's is the image's area, and so is that of a dummy in its place."""
    if len(masks) and not context:
        return masks.bool()
    more = torch.full((1, *size), context, dtype=torch.bool, device=masks.device)
    return torch.cat([masks.bool().reshape(-1, *size), more])


def _inside(boxes: Tensor, canvas: Size, size: Size) -> Tensor:
    rows = _covered(boxes[:, 1::2], canvas[0], size[0])
    columns = _covered(boxes[:, 0::2], canvas[1], size[1])
    return rows[:, :, None] & columns[:, None, :]


def _covered(sides: Tensor, pixels: int, cells: int) -> Tensor:
    """(n, 2) from, to -> (n, cells) bool. Nothing is within half of a length of 0: 0 / 0 compares false."""
    start, end = (sides * (cells / pixels)).unsqueeze(-1).unbind(1)
    places = torch.arange(cells, dtype=sides.dtype, device=sides.device)
    return (places - (start + end) / 2).abs() / (end - start) <= 0.5


def _resized(bitmap: Tensor, canvas: Size, size: Size) -> Tensor:
    """(n, h, w) of an image -> (n, *size) over the canvas, each cell's nearest pixel; padding is not covered."""
    (rows, in_rows), (columns, in_columns) = (
        _nearest(canvas[axis], size[axis], bitmap.shape[axis + 1], bitmap.device) for axis in (0, 1)
    )
    return bitmap[:, rows][:, :, columns] & in_rows[:, None] & in_columns


def _nearest(pixels: int, cells: int, real: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Per cell its pixel, and whether that is one of the first `real`."""
    places = torch.arange(pixels, dtype=torch.float32, device=device)[None, None]
    chosen = F.interpolate(places, size=cells, mode="nearest").flatten().long()
    return chosen.clamp(max=real - 1), chosen < real
