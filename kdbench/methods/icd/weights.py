"""Where real instances look: the weights of the imitation, from the decoder's attention logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

AT_ONCE = 2**25
"""Logits held at once: 128 MiB."""
RANGE = (0.1, 8.0)


def logits(query: Tensor, key: Tensor, padding: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """query . key / sqrt(d) / temperature, -inf at the padding; float32.

    Shapes: query (N, M, K, d); key (N, M, S, d); padding (N, S) bool -> (N, M, K, S).
    """
    with torch.autocast(query.device.type, enabled=False):
        scaled = query.float() * (query.shape[-1] ** -0.5 / temperature)
        return (scaled @ key.float().transpose(-1, -2)).masked_fill(padding[:, None, None], -torch.inf)


def attention_weights(
    query: Tensor,
    key: Tensor,
    padding: Tensor,
    counted: Tensor,
    temperature: float | Tensor = 1.0,
    at_once: int = AT_ONCE,
) -> Tensor:
    """sum_k counted_k softmax_s(logits), in blocks of queries so that memory stays small.

    Only a temperature that is a tensor gets a gradient.

    Shapes: query (N, M, K, d); key (N, M, S, d); padding (N, S) bool; counted (N, K) bool -> (N, M, S), float32.
    """
    N, M, K, _ = query.shape
    S = key.shape[2]
    learnt = isinstance(temperature, Tensor)
    query, key, chosen = query.detach(), key.detach().float(), counted[:, None, None].float()
    with torch.set_grad_enabled(learnt and torch.is_grad_enabled()), torch.autocast(key.device.type, enabled=False):
        # A temperature takes part in every step, as DDP demands, also in one without objects.
        total = key.new_zeros(N, M, 1, S) + (temperature * 0 if learnt else 0)
        block = max(1, at_once // (N * M * S))
        for first in range(0, K, block):
            rows = slice(first, first + block)
            seen = logits(query[:, :, rows], key, padding, temperature).softmax(-1)
            total = total + chosen[..., rows] @ seen
        return total.squeeze(2)


class Temperature(nn.Module):
    """A temperature that is learnt, kept in [0.1, 8]."""

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(initial)))

    def forward(self) -> Tensor:
        with torch.no_grad():
            self.value.clamp_(*RANGE)
        return self.value
