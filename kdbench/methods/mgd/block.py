"""MGD's generation block."""

from __future__ import annotations

from torch import Tensor, nn

from kdbench.methods.shared.align import in_precision_of


class Generation(nn.Sequential):
    """3x3 convolution, ReLU, 3x3 convolution, both with padding 1, bias and torch's default initial values.

    Shapes: (N, C, H, W) -> the same.
    Reference: Masked Generative Distillation, ECCV 2022, arXiv 2205.01529.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )

    def forward(self, input: Tensor) -> Tensor:
        weight = next(self.parameters())
        generated: Tensor = super().forward(in_precision_of(weight, input))
        return generated
