"""Multi-scale deformable attention on CUDA, where mmcv does not take its own plain-torch way as it does on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from kdbench.ops.precision import without_autocast, working_dtype


def ms_deform_attn_forward(
    value: Tensor, shapes: Tensor, starts: Tensor, locations: Tensor, weights: Tensor, *, im2col_step: int
) -> Tensor:
    """Each query's weighted sum of bilinear samples on all levels.

    Shapes:
        value: (N, keys, heads, D); shapes: (levels, 2) as H, W; starts: (levels);
        locations: (N, queries, heads, levels, points, 2) as x, y in 0..1; weights: the same without the 2;
        returns (N, queries, heads D).

    Reference:
        Zhu et al., Deformable DETR: Deformable Transformers for End-to-End Object Detection, ICLR 2021,
        arXiv 2010.04159.
    """
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    dtype = working_dtype(value)
    with without_autocast(value):
        out = multi_scale_deformable_attn_pytorch(value.to(dtype), shapes, locations.to(dtype), weights.to(dtype))
    return out.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    shapes: Tensor,
    starts: Tensor,
    locations: Tensor,
    weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_locations: Tensor,
    grad_weights: Tensor,
    *,
    im2col_step: int,
) -> None:
    """Gradients of value, locations and weights, by computing the forward again, added to the `grad_...`."""
    inputs = [tensor.detach().requires_grad_() for tensor in (value, locations, weights)]
    with torch.enable_grad():
        out = ms_deform_attn_forward(inputs[0], shapes, starts, inputs[1], inputs[2], im2col_step=im2col_step)
        grads = torch.autograd.grad(out, inputs, grad_output)
    for into, grad in zip((grad_value, grad_locations, grad_weights), grads, strict=True):
        into.add_(grad)
