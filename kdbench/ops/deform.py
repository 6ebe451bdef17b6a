"""Deformable convolution, without (v1) and with (v2) modulation, on torchvision's one kernel for both.

Formula:
    y(p) = bias + sum over the kernel's places k of w(k) m(p, k) x(p + k + offset(p, k)), x bilinear, zero outside.

Shapes:
    input: (N, C, H, W); weight: (O, C / groups, kH, kW); output: (N, O, H', W'); with G deformable groups,
    offset: (N, 2 G kH kW, H', W') as y, x pairs; mask: (N, G kH kW, H', W').

Reference:
    Dai et al., Deformable Convolutional Networks, ICCV 2017, arXiv 1703.06211.
    Zhu et al., Deformable ConvNets v2: More Deformable, Better Results, CVPR 2019, arXiv 1811.11168.

`im2col_step`, how many images mmcv unfolds at once, changes no result; torchvision chooses its own.

Two things are mmcv's and not torchvision's. A sampling point exactly on the border (-1, or the size) gives its offset
no gradient: torchvision has the slope towards the image there, and with offsets that start at 0 the whole border of a
padded convolution lies there in the first step. And the second version takes offsets and masks of a larger map than the
output's (mmdet's DyHead hands over such): of each image's values in memory it reads the first ones.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from kdbench.ops.precision import without_autocast, working_dtype


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **geometry: Any
) -> None:
    """Convolution without mask and bias, into `output`."""
    output.copy_(_forward(input, weight, offset, None, None, *_first_version(geometry)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **geometry: Any,
) -> None:
    """Gradients with respect to input and offset, added to `grad_input` and `grad_offset`.

    torchvision computes all gradients in one pass: the weight's waits in mmcv's scratch buffer `columns`, which mmcv
    hands to `deform_conv_backward_parameters` right after.
    """
    grads = _backward(grad_output, input, weight, offset, None, None, *_first_version(geometry))
    grad_input.add_(grads[0])
    grad_offset.add_(grads[2])
    columns.resize_(weight.shape).copy_(grads[1])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    scale: float,
    **geometry: Any,
) -> None:
    """Gradient with respect to the weight, times `scale`, added to `grad_weight`."""
    if columns.numel():
        grad_weight.add_(columns, alpha=scale)
        columns.resize_(0)
        return
    # Its values have no part in its own gradient, so zeros of its shape do.
    grads = _backward(grad_output, input, torch.zeros_like(grad_weight), offset, None, None, *_first_version(geometry))
    grad_weight.add_(grads[1], alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    with_bias: bool,
    **geometry: Any,
) -> None:
    """Convolution with mask, and bias if `with_bias`, into `output`."""
    places = tuple(output.shape[-2:])
    offset, mask = _first_values(offset, places), _first_values(mask, places)
    output.copy_(_forward(input, weight, offset, mask, bias if with_bias else None, *_second_version(geometry)))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **geometry: Any,
) -> None:
    """All gradients, each added to its `grad_...`."""
    bias_used = bias if with_bias else None
    places = tuple(grad_output.shape[-2:])
    offset, mask = _first_values(offset, places), _first_values(mask, places)
    grads = _backward(grad_output, input, weight, offset, mask, bias_used, *_second_version(geometry))
    grad_input.add_(grads[0])
    grad_weight.add_(grads[1])
    for into, grad in ((grad_offset, grads[2]), (grad_mask, grads[3])):
        if into.shape != grad.shape:
            into, grad = into.view(len(into), -1)[:, : grad[0].numel()], grad.flatten(1)
        into.add_(grad)
    if with_bias:
        grad_bias.add_(grads[4])


def _first_version(geometry: dict[str, Any]) -> tuple[int, ...]:
    """torchvision's order of stride, padding, dilation and groups, from mmcv's names in version 1."""
    g = geometry
    return (g["dH"], g["dW"], g["padH"], g["padW"], g["dilationH"], g["dilationW"], g["group"], g["deformable_group"])


def _second_version(geometry: dict[str, Any]) -> tuple[int, ...]:
    names = ("stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w", "group", "deformable_group")
    return tuple(geometry[name] for name in names)


def _operands(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """All in one type; without modulation an empty mask, which torchvision does not read, without bias zeros."""
    dtype = working_dtype(input, weight, offset, half_on_cuda=True)
    mask = input.new_zeros((len(input), 0)) if mask is None else mask
    bias = weight.new_zeros(weight.shape[0]) if bias is None else bias
    return tuple(tensor.to(dtype).contiguous() for tensor in (input, weight, offset, mask, bias))


def _forward(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None, *geometry: int
) -> Tensor:
    operands = _operands(input, weight, offset, mask, bias)
    with without_autocast(input):
        return torch.ops.torchvision.deform_conv2d(*operands, *geometry, mask is not None)


def _backward(
    grad: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    *geometry: int,
) -> tuple[Tensor, ...]:
    """Gradients of input, weight, offset, mask and bias, in this order."""
    operands = _operands(input, weight, offset, mask, bias)
    grad = grad.to(operands[0].dtype).contiguous()
    with without_autocast(input):
        grads = torch.ops.torchvision._deform_conv2d_backward(grad, *operands, *geometry, mask is not None)
    inside = _inside(operands[2], input, weight, *geometry[:6])
    of_offset = grads[2].view_as(inside).masked_fill(~inside, 0).view_as(grads[2])
    return (*grads[:2], of_offset, *grads[3:])


def _inside(
    offset: Tensor,
    input: Tensor,
    weight: Tensor,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
) -> Tensor:
    """Which sampling points touch the image, -1 < y < H and -1 < x < W: (N, G, kH, kW, 2, H', W'), alike for y and x."""
    (kernel_h, kernel_w), (rows, columns) = weight.shape[2:], offset.shape[2:]
    height, width = input.shape[2:]
    count = partial(torch.arange, device=offset.device)
    # Whole numbers first, then the offset in its own type, as both kernels do: the border is exact.
    y = count(kernel_h)[:, None] * dilation_h + (count(rows) * stride_h - pad_h)
    x = count(kernel_w)[:, None] * dilation_w + (count(columns) * stride_w - pad_w)
    points = offset.view(len(offset), -1, kernel_h, kernel_w, 2, rows, columns)
    y = points[:, :, :, :, 0] + y.to(offset.dtype)[:, None, :, None]
    x = points[:, :, :, :, 1] + x.to(offset.dtype)[:, None, :]
    inside = (y > -1) & (y < height) & (x > -1) & (x < width)
    return inside.unsqueeze(4).expand_as(points)


def _first_values(values: Tensor, places: tuple[int, ...]) -> Tensor:
    """Of a larger map what mmcv reads for an output of `places`; a map of that size as it is, a smaller one too."""
    count = values.shape[1] * places[0] * places[1]
    if tuple(values.shape[2:]) == places or values[0].numel() < count:
        return values
    return values.flatten(1)[:, :count].view(len(values), -1, *places)
