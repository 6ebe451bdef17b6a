"""Multi-scale deformable attention as a GPU model calls it, against mmcv's plain-torch form."""

from __future__ import annotations

import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction, multi_scale_deformable_attn_pytorch


def test_values_and_gradients(device: torch.device, generator: torch.Generator) -> None:
    shapes = torch.tensor([[4, 5], [2, 3]], device=device)
    starts = torch.tensor([0, 20], device=device)
    sizes = [(2, 26, 2, 3), (2, 7, 2, 2, 4, 2), (2, 7, 2, 2, 4)]
    one = [torch.rand(size, generator=generator, dtype=torch.float64).to(device).requires_grad_() for size in sizes]
    two = [tensor.detach().clone().requires_grad_() for tensor in one]
    out = MultiScaleDeformableAttnFunction.apply(one[0], shapes, starts, one[1], one[2], 64)
    expected = multi_scale_deformable_attn_pytorch(two[0], shapes, two[1], two[2])
    torch.testing.assert_close(out, expected)
    out.square().sum().backward()
    expected.square().sum().backward()
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a.grad, b.grad)
