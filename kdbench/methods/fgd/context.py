"""FGD's context block: adds to every cell what the map as a whole says (GCNet's, global context)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Context(nn.Module):
    """x + W2 ReLU(LayerNorm(W1 c)), with c the cells' mean weighted by a softmax over k(x).

    k is Kaiming-normal with bias 0; W2 is 0, so at first the block changes nothing; the rest has torch's defaults.

    Shapes: (N, C, H, W) -> the same, float32.
    Reference: Focal and Global Knowledge Distillation for Detectors, CVPR 2022, arXiv 2111.11837.

    Example:
        >>> x = torch.rand(2, 8, 4, 5)
        >>> torch.equal(Context(8)(x), x)
        True
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 2)
        self.mask = nn.Conv2d(channels, 1, kernel_size=1)
        self.add = nn.Sequential(
            nn.Conv2d(channels, narrow, kernel_size=1),
            nn.LayerNorm([narrow, 1, 1]),
            nn.ReLU(),
            nn.Conv2d(narrow, channels, kernel_size=1),
        )
        nn.init.kaiming_normal_(self.mask.weight, nonlinearity="relu")
        nn.init.zeros_(self.mask.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.add[3].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.add[3].bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            attention = F.softmax(self.mask(x).flatten(2), dim=2)
            whole = torch.matmul(x.flatten(2), attention.transpose(1, 2))[..., None]
            added: Tensor = x + self.add(whole)
        return added
