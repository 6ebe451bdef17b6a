"""LGD's encoders: labels to one vector a token, and the student's maps to one vector a token and level."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kdbench.methods.lgd.tokens import Tokens


class Norm(nn.GroupNorm):
    """Normalises each token over its channels, each map over its channels and cells; in float32.

    Shapes: (T, C) or (N, C, H, W) -> the same, float32.
    """

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__(1, channels, affine=affine)

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def layer(width_in: int, width_out: int, affine: bool) -> nn.Sequential:
    """Linear, normalisation, ReLU, on tokens (T, D)."""
    return nn.Sequential(nn.Linear(width_in, width_out), Norm(width_out, affine), nn.ReLU(inplace=True))


class Transform(nn.Module):
    """A transform net: gives each token a matrix of its own and multiplies the token by it.

    Shapes: (T, k) -> (T, k).
    """

    def __init__(self, width: int, hidden: Sequence[int], affine: bool) -> None:
        super().__init__()
        widths = [width, *hidden]
        self.layers = nn.Sequential(*(layer(*pair, affine) for pair in pairwise(widths)))
        self.last = nn.Linear(widths[-1], width * width)

    def matrices(self, tokens: Tensor) -> Tensor:
        """(T, k) -> (T, k, k)."""
        found: Tensor = self.last(self.layers(tokens))
        return found.unflatten(1, (tokens.shape[1], tokens.shape[1]))

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.matmul(tokens.unsqueeze(1), self.matrices(tokens)).squeeze(1)


class LabelEncoder(nn.Module):
    """PointNet on the tokens of an image: each by itself, then together with the maximum over all of them.

    Args:
        length: numbers that describe a token, k.
        widths, transform_widths: see `LGDParams`.
        channels: width of an embedding, C.

    Shapes: descriptors (T, k) -> (T, C).
    """

    def __init__(
        self,
        length: int,
        widths: tuple[int, int, int],
        transform_widths: tuple[int, int],
        channels: int,
        affine: bool = False,
    ) -> None:
        super().__init__()
        narrow, middle, wide = widths
        self.transform_input = Transform(length, (*widths, *transform_widths), affine)
        self.enter = layer(length, narrow, affine)
        self.transform_features = Transform(narrow, (*widths, *transform_widths), affine)
        self.widen = nn.Sequential(layer(narrow, middle, affine), layer(middle, wide, affine))
        self.join = layer(narrow + wide, channels, affine)

    def forward(self, descriptors: Tensor, tokens: Tokens) -> Tensor:
        local = self.transform_features(self.enter(self.transform_input(descriptors)))
        wide = self.widen(local)
        # After a ReLU the zeros of slots without a token change no maximum.
        largest = tokens.padded(wide).max(dim=1, keepdim=True).values
        common = tokens.flat(largest.expand(-1, max(tokens.counts), -1))
        embedded: Tensor = self.join(torch.cat([local.to(common.dtype), common], dim=1))
        return embedded


class AppearanceEncoder(nn.Module):
    """3x3 convolution, normalisation and ReLU on a level, then the mean over the cells that a token covers.

    Shapes: level (N, C, H, W), masks per image (n_i, H, W) -> (T, C) float32, 0 for a token that covers no cell.
    """

    def __init__(self, channels: int, affine: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.norm = Norm(channels, affine)

    def forward(self, level: Tensor, masks: Sequence[Tensor]) -> Tensor:
        maps = self.norm(self.convolution(level)).relu()
        with torch.autocast(level.device.type, enabled=False):
            pooled = [_mean_inside(image, mask) for image, mask in zip(maps, masks, strict=True)]
        return torch.cat(pooled)


def _mean_inside(image: Tensor, masks: Tensor) -> Tensor:
    """(C, H, W), (n, H, W) -> (n, C)."""
    cells = masks.flatten(1)
    return cells @ image.flatten(1).t() / cells.sum(1, keepdim=True).clamp(min=1)
