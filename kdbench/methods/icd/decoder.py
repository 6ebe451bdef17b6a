"""ICD's decoder: queries of instances look over all tokens of a pyramid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mlp(width: int, hidden: int, out: int) -> nn.Sequential:
    """Three linear layers with ReLU in between.

    Shapes: (..., width) -> (..., out).
    """
    first, second, third = nn.Linear(width, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, out)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)


class Tokens(nn.Module):
    """A pyramid as one sequence, fine to coarse and row by row; levels of another width than `hidden` are projected.

    Shapes: levels (N, C_l, H_l, W_l) -> (N, S, hidden).
    """

    def __init__(self, channels: tuple[int, ...], hidden: int) -> None:
        super().__init__()
        self.projections = nn.ModuleDict({str(C): nn.Linear(C, hidden) for C in sorted({*channels} - {hidden})})

    def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([self._token(level.flatten(2).transpose(1, 2)) for level in levels], dim=1)

    def _token(self, level: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(level.device.type):
            level = level.float()  # a student in mmcv's fp16 hands over half precision where nothing casts it for us
        width = str(level.shape[-1])
        return self.projections[width](level) if width in self.projections else level


class PositionEncoder(nn.Module):
    """Adds the tokens' sine code, through a linear layer if `project`.

    Shapes: tokens, code (N, S, D) -> (N, S, D).
    """

    def __init__(self, width: int, project: bool) -> None:
        super().__init__()
        self.projection = nn.Linear(width, width) if project else nn.Identity()

    def forward(self, tokens: Tensor, code: Tensor) -> Tensor:
        return tokens + self.projection(code)


@dataclass(frozen=True)
class Attended:
    """One layer's output, and what its attention was made of.

    Shapes: output (N, K, D); query (N, M, K, d); key (N, M, S, d); value (N, S, M, d).
    """

    output: Tensor
    query: Tensor
    key: Tensor
    value: Tensor


class Attention(nn.Module):
    """Multi-head attention whose query, key and value projections are one matrix, rows in this order.

    Shapes: query (N, K, D); key, value (N, S, D); padding (N, S) bool, True is left out.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, padding: Tensor) -> Attended:
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (
            split(F.linear(x, w, b), self.heads) for x, w, b in zip((query, key, value), weights, biases, strict=True)
        )
        q, k = q.transpose(1, 2), k.transpose(1, 2)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v.transpose(1, 2), ~padding[:, None, None], dropout)
        return Attended(self.out_proj(mixed.transpose(1, 2).flatten(2)), q, k, v)


class DecoderLayer(nn.Module):
    """Attention over the tokens; with `feed_forward` a residual, norms and a feed-forward network after it.

    No self-attention: each query is on its own.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        position: PositionEncoder | None,
        on_value: bool,
        feed_forward: bool,
    ) -> None:
        super().__init__()
        self.position, self.on_value, self.feed_forward = position, on_value, feed_forward
        self.attention = Attention(width, heads, dropout)
        if feed_forward:
            self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.norm_attention, self.norm_output = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, query: Tensor, tokens: Tensor, code: Tensor | None, padding: Tensor) -> Attended:
        key = tokens if self.position is None or code is None else self.position(tokens, code)
        attended = self.attention(query, key, key if self.on_value else tokens, padding)
        if not self.feed_forward:
            return attended
        x = _norm(self.norm_attention, query, attended.output)
        y = _norm(self.norm_output, x, self.contract(F.relu(self.expand(x))))
        return Attended(y, attended.query, attended.key, attended.value)


def split(tokens: Tensor, heads: int) -> Tensor:
    """The channels of each head: (N, S, D) -> (N, S, M, d)."""
    return tokens.unflatten(-1, (heads, -1))


def _norm(norm: nn.LayerNorm, query: Tensor, change: Tensor) -> Tensor:
    with torch.autocast(query.device.type, enabled=False):
        normed: Tensor = norm(query.float() + change.float())
        return normed
