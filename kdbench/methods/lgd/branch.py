"""LGD's instructive branch: from labels and the student's maps to maps of the same shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdbench.methods.lgd.encoder import AppearanceEncoder, LabelEncoder, Norm, layer
from kdbench.methods.lgd.params import LGDParams
from kdbench.methods.lgd.tokens import Tokens
from kdbench.methods.shared.align import in_precision_of


class Attention(nn.Module):
    """Attention with several heads between the tokens of an image; no residual, no normalisation, no dropout.

    The initial values are those of torch's `MultiheadAttention`.

    Shapes: query, key (T, C) -> (T, C).
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, query: Tensor, key: Tensor, tokens: Tokens) -> Tensor:
        _, _, to_value = self._projections()
        value = self._split(nn.functional.linear(key, *to_value), tokens)
        mixed = self.weights(query, key, tokens).to(value.dtype) @ value
        result: Tensor = self.out(tokens.flat(mixed.transpose(1, 2).flatten(2)))
        return result

    def weights(self, query: Tensor, key: Tensor, tokens: Tokens) -> Tensor:
        """How much each token attends to each of its image, (N, heads, S, S) float32; 0 for slots without a token."""
        to_query, to_key, _ = self._projections()
        asking = self._split(nn.functional.linear(query, *to_query), tokens)
        asked = self._split(nn.functional.linear(key, *to_key), tokens)
        with torch.autocast(query.device.type, enabled=False):
            scores = asking.float() @ asked.float().transpose(-1, -2) / math.sqrt(asking.shape[-1])
            return scores.masked_fill(tokens.empty()[:, None, None, :], -math.inf).softmax(-1)

    def _projections(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.project.weight.chunk(3), self.project.bias.chunk(3), strict=True))

    def _split(self, flat: Tensor, tokens: Tokens) -> Tensor:
        """(T, C) -> (N, heads, S, C / heads)."""
        return tokens.padded(flat).unflatten(2, (self.heads, -1)).transpose(1, 2)


class KnowledgeMapper(nn.Module):
    """Paints each object's vector over its cells, adds the context's to all cells, and refines the map.

    Shapes: vectors (T, C), masks per image (n_i, H, W) -> (N, C, H, W) float32.
    """

    def __init__(self, channels: int, context: bool, affine: bool = False) -> None:
        super().__init__()
        self.object_vectors = nn.Linear(channels, channels)
        self.painted = _convolution(channels)
        self.context_vectors = nn.Linear(channels, channels) if context else None
        refine: list[nn.Module] = []
        for last in (False, False, True):
            refine += [_convolution(channels), Norm(channels, affine), *([] if last else [nn.ReLU(inplace=True)])]
        self.refine = nn.Sequential(*refine)

    def forward(self, vectors: Tensor, masks: Sequence[Tensor]) -> Tensor:
        refined: Tensor = self.refine(self.render(vectors, masks))
        return refined

    def render(self, vectors: Tensor, masks: Sequence[Tensor]) -> Tensor:
        """The map before it is refined, (N, C, H, W). Where objects overlap their vectors add up."""
        images = vectors.split([len(mask) for mask in masks])
        objects = slice(None, -1 if self.context_vectors is not None else None)
        pairs = zip(images, masks, strict=True)
        painted: Tensor = self.painted(torch.stack([self._paint(v[objects], mask[objects]) for v, mask in pairs]))
        if self.context_vectors is not None:
            context = self.context_vectors(torch.stack([image[-1] for image in images]))
            painted = painted + context[:, :, None, None]
        return painted.relu()

    def _paint(self, vectors: Tensor, masks: Tensor) -> Tensor:
        projected = self.object_vectors(vectors)
        with torch.autocast(vectors.device.type, enabled=False):
            cells = projected.float().t() @ masks.flatten(1)
        return cells.unflatten(1, masks.shape[1:])


class InstructiveBranch(nn.Module):
    """Label encoder, appearance encoder, attention and mapper; one set for all levels.

    Args:
        length: numbers that describe a token.
        channels: the FPN's width, C.

    Shapes: levels[l] (N, C, H_l, W_l), descriptors (T, length) -> maps of the levels' shapes, float32.
    """

    def __init__(self, params: LGDParams, length: int, channels: int) -> None:
        super().__init__()
        self.interaction = params.interaction
        affine = params.affine_norms
        if params.uses_labels:
            widths = (params.encoder_widths, params.transform_widths)
            self.encoder = LabelEncoder(length, *widths, channels, affine)
            self.label_vectors = layer(channels, channels, affine)
        if params.uses_appearance:
            self.appearance = AppearanceEncoder(channels, affine)
        if params.attends:
            self.attention = Attention(channels, params.heads)
        self.mapper = KnowledgeMapper(channels, params.context, affine)

    def forward(self, levels: Sequence[Tensor], descriptors: Tensor, tokens: Tokens) -> list[Tensor]:
        labels = self.embed(descriptors, tokens)
        return [self.instruct(level, labels, tokens) for level in levels]

    def embed(self, descriptors: Tensor, tokens: Tokens) -> Tensor | None:
        """What the labels say, (T, C); None if this interaction does not ask."""
        if self.interaction == "student_fill":
            return None
        vectors: Tensor = self.label_vectors(self.encoder(descriptors, tokens))
        return vectors

    def instruct(self, level: Tensor, labels: Tensor | None, tokens: Tokens) -> Tensor:
        """The map of one level: (N, C, H, W) -> the same."""
        masks = tokens.masks((level.shape[-2], level.shape[-1]))
        appearance = None
        if self.interaction != "teacher_fill":
            level = in_precision_of(self.appearance.convolution.weight, level)
            appearance = self.appearance(level, masks)
        instructive: Tensor = self.mapper(self.relate(appearance, labels, tokens), masks)
        return instructive

    def relate(self, appearance: Tensor | None, labels: Tensor | None, tokens: Tokens) -> Tensor:
        """One vector a token, (T, C)."""
        if appearance is None or labels is None:
            only = labels if appearance is None else appearance
            assert only is not None
            return only
        pair = (appearance, labels) if self.interaction == "stuGuided" else (labels, appearance)
        related: Tensor = self.attention(*pair, tokens)
        return related


def _convolution(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel_size=3, padding=1)
