"""Deformable convolutions through mmcv.ops, against a loop over the kernel's places with plain bilinear sampling."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from mmcv.ops import DeformConv2dPack, ModulatedDeformConv2dPack, deform_conv2d, modulated_deform_conv2d
from torch import Tensor

# stride, padding, dilation, groups, deformable groups
GEOMETRIES = [
    (1, 1, 1, 1, 1),
    ((2, 1), (0, 2), (1, 2), 2, 1),
    (1, 2, 2, 1, 2),
    (2, 1, 1, 2, 4),
]


def sample(plane: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """plane (C, H, W) at points (...): bilinear, zero outside; differentiable in all three. Returns (C, ...)."""
    height, width = plane.shape[1:]
    y0, x0 = y.detach().floor(), x.detach().floor()
    out = 0
    for dy in (0, 1):
        for dx in (0, 1):
            row, column = y0 + dy, x0 + dx
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            value = plane[:, row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()]
            out = out + value * inside * (1 - (y - row).abs()) * (1 - (x - column).abs())
    return out


def plain(input: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor | None, geometry) -> Tensor:
    (sh, sw), (ph, pw), (dh, dw) = (pair if isinstance(pair, tuple) else (pair, pair) for pair in geometry[:3])
    groups, deform_groups = geometry[3:]
    n, c = input.shape[:2]
    kh, kw = weight.shape[2:]
    oh, ow = offset.shape[2:]
    rows = torch.arange(oh, dtype=input.dtype)[:, None] * sh - ph
    columns = torch.arange(ow, dtype=input.dtype) * sw - pw
    offset = offset.view(n, deform_groups, kh * kw, 2, oh, ow)
    images = []
    for image in range(n):
        unfolded = []
        for g, part in enumerate(input[image].split(c // deform_groups)):
            places = []
            for k in range(kh * kw):
                y = rows + k // kw * dh + offset[image, g, k, 0]
                x = columns + k % kw * dw + offset[image, g, k, 1]
                value = sample(part, y, x)
                places.append(value if mask is None else value * mask.view(n, deform_groups, -1, oh, ow)[image, g, k])
            unfolded.append(torch.stack(places, dim=1))
        cells = torch.cat(unfolded).view(groups, c // groups, kh * kw, oh, ow)
        kernels = weight.view(groups, -1, c // groups, kh * kw)
        images.append(torch.einsum("gikhw,goik->gohw", cells, kernels).flatten(0, 1))
    out = torch.stack(images)
    return out if bias is None else out + bias[:, None, None]


def example(generator: torch.Generator, geometry, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """input, offset, mask, weight, bias for images of 5x6 with 4 channels, and a kernel of 3x2 with 6 outputs."""
    stride, padding, dilation = geometry[:3]
    image, kernel = torch.zeros(1, 1, 5, 6), torch.zeros(1, 1, 3, 2)
    size = torch.nn.functional.conv2d(image, kernel, None, stride, padding, dilation).shape
    places = 6 * geometry[4]
    shapes = [(2, 4, 5, 6), (2, 2 * places, *size[2:]), (2, places, *size[2:]), (6, 4 // geometry[3], 3, 2), (6,)]
    tensors = [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]
    tensors[1] *= 1.5
    tensors[2] = tensors[2].sigmoid()
    return tensors


def compare(ours, reference, tensors: list[Tensor], device: torch.device, generator: torch.Generator) -> None:
    """Outputs and the gradients of all tensors."""
    one = [tensor.detach().to(device).requires_grad_() for tensor in tensors]
    two = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    out, expected = ours(*one), reference(*two)
    torch.testing.assert_close(out.cpu(), expected)
    grad = torch.randn(out.shape, generator=generator, dtype=out.dtype)
    out.backward(grad.to(device))
    expected.backward(grad)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a.grad.cpu(), b.grad)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_deform_conv(device: torch.device, generator: torch.Generator, geometry) -> None:
    input, offset, _, weight, _ = example(generator, geometry)
    compare(
        lambda x, o, w: deform_conv2d(x, o, w, *geometry, False, 1),  # unfolding one image at a time changes nothing
        lambda x, o, w: plain(x, o, None, w, None, geometry),
        [input, offset, weight],
        device,
        generator,
    )


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_modulated_deform_conv(device: torch.device, generator: torch.Generator, geometry, with_bias: bool) -> None:
    tensors = example(generator, geometry)[: 5 if with_bias else 4]
    compare(
        lambda x, o, m, w, b=None: modulated_deform_conv2d(x, o, m, w, b, *geometry),
        lambda x, o, m, w, b=None: plain(x, o, m, w, b, geometry),
        tensors,
        device,
        generator,
    )


def test_gradcheck(device: torch.device, generator: torch.Generator) -> None:
    geometry = (1, 0, 1, 1, 1)
    tensors = [tensor[:1, :, :3, :4] if tensor.dim() == 4 else tensor for tensor in example(generator, geometry)]
    input, offset, mask, weight, _ = (tensor.contiguous().to(device).requires_grad_() for tensor in tensors)
    offset, mask = (tensor[:, :, :1, :3].detach().requires_grad_() for tensor in (offset, mask))
    assert torch.autograd.gradcheck(
        lambda x, o, w: deform_conv2d(x, o, w, *geometry), (input, offset, weight), nondet_tol=1e-9
    )
    assert torch.autograd.gradcheck(
        lambda x, o, m, w: modulated_deform_conv2d(x, o, m, w, None, *geometry),
        (input, offset, mask, weight),
        nondet_tol=1e-9,
    )


def test_the_weight_alone_may_need_a_gradient(device: torch.device, generator: torch.Generator) -> None:
    input, offset, _, weight, _ = (tensor.to(device) for tensor in example(generator, GEOMETRIES[0]))
    both, alone = weight.clone().requires_grad_(), weight.clone().requires_grad_()
    deform_conv2d(input.clone().requires_grad_(), offset, both, 1, 1).square().sum().backward()
    out = deform_conv2d(input, offset, alone, 1, 1).square().sum()
    out.backward(retain_graph=True)
    out.backward()
    torch.testing.assert_close(alone.grad, 2 * both.grad)


def mmcv_slope(plane: list[list[float]], y: float, x: float, along_x: bool) -> float:
    """mmcv's `dmcn_get_coordinate_weight`, point by point: the slope towards larger y (or x), 0 unless inside."""
    height, width = len(plane), len(plane[0])
    if y <= -1 or y >= height or x <= -1 or x >= width:
        return 0.0
    top, left = math.floor(y), math.floor(x)

    def value(row: int, column: int) -> float:
        return plane[row][column] if 0 <= row < height and 0 <= column < width else 0.0

    if along_x:
        upper, lower = (value(row, left + 1) - value(row, left) for row in (top, top + 1))
        return (top + 1 - y) * upper + (y - top) * lower
    first, second = (value(top + 1, column) - value(top, column) for column in (left, left + 1))
    return (left + 1 - x) * first + (x - left) * second


def mmcv_offset_gradient(
    input: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, grad: Tensor, geometry
) -> Tensor:
    """The sum of mmcv's `modulated_deformable_col2im_coord` over channels, with loops."""
    (sh, sw), (ph, pw), (dh, dw) = (pair if isinstance(pair, tuple) else (pair, pair) for pair in geometry[:3])
    groups, deform_groups = geometry[3:]
    n, c = input.shape[:2]
    (kh, kw), (oh, ow) = weight.shape[2:], grad.shape[2:]
    kernels = weight.reshape(groups, -1, c // groups, kh * kw)
    of_cells = torch.einsum("goik,ngohw->ngikhw", kernels, grad.reshape(n, groups, -1, oh, ow))
    of_cells = of_cells.reshape(n, c, kh * kw, oh, ow)
    shifts = offset.reshape(n, deform_groups, kh * kw, 2, oh, ow)
    out = torch.zeros_like(shifts)
    for image, g, k, i, j in itertools.product(range(n), range(deform_groups), range(kh * kw), range(oh), range(ow)):
        y = i * sh - ph + k // kw * dh + shifts[image, g, k, 0, i, j].item()
        x = j * sw - pw + k % kw * dw + shifts[image, g, k, 1, i, j].item()
        scale = 1.0 if mask is None else mask.reshape(n, deform_groups, -1, oh, ow)[image, g, k, i, j].item()
        for channel in range(g * c // deform_groups, (g + 1) * c // deform_groups):
            plane, above = input[image, channel].tolist(), of_cells[image, channel, k, i, j].item() * scale
            for axis in (0, 1):
                out[image, g, k, axis, i, j] += mmcv_slope(plane, y, x, axis == 1) * above
    return out.reshape(offset.shape)


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("offsets", ["zero", "whole", "any"])
def test_offsets_on_the_border_get_the_gradient_of_mmcv(
    device: torch.device, generator: torch.Generator, geometry, dtype: torch.dtype, modulated: bool, offsets: str
) -> None:
    input, offset, mask, weight, _ = example(generator, geometry, torch.float64)
    offset = {"zero": torch.zeros_like(offset), "whole": offset.round(), "any": offset}[offsets]
    grad = torch.randn(2, 6, *offset.shape[2:], generator=generator, dtype=torch.float64)
    expected = mmcv_offset_gradient(input, offset, mask if modulated else None, weight, grad, geometry)
    input, offset, mask, weight, grad = (t.to(device, dtype) for t in (input, offset, mask, weight, grad))
    offset.requires_grad_()
    if modulated:
        out = modulated_deform_conv2d(input, offset, mask, weight, None, *geometry)
    else:
        out = deform_conv2d(input, offset, weight, *geometry)
    out.backward(grad)
    torch.testing.assert_close(offset.grad.cpu(), expected.to(dtype), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_at_the_start_nothing_pulls_at_offsets_outside_the_image(device: torch.device, layer: type) -> None:
    torch.manual_seed(0)
    module = layer(1, 1, 3, padding=1, bias=False).to(device)  # its offsets start at 0
    torch.nn.init.constant_(module.weight, 1.0)
    image = torch.ones(1, 1, 4, 4, device=device)
    module(image).sum().backward()
    slopes = module.conv_offset.bias.grad[: 2 * 9].view(3, 3, 2)
    # Rows and columns that lie at -1 for the first cells have no slope; at the last pixel it is 0 - 1, for 4 cells.
    share = 1.0 if layer is DeformConv2dPack else 0.5
    expected = torch.zeros(3, 3, 2)
    expected[:, :, 0] = -share * torch.tensor([0.0, 1, 1])[:, None] * torch.tensor([3.0, 4, 3])
    expected[:, :, 1] = -share * torch.tensor([0.0, 1, 1]) * torch.tensor([3.0, 4, 3])[:, None]
    torch.testing.assert_close(slopes.cpu(), expected)


def test_offsets_of_a_larger_map_are_read_as_mmcv_reads_them(device: torch.device, generator: torch.Generator) -> None:
    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(device).requires_grad_()

    input, weight, offset, mask = numbers(2, 3, 4, 4), numbers(2, 3, 3, 3), numbers(2, 18, 8, 8), numbers(2, 9, 8, 8)
    modulated_deform_conv2d(input, offset, mask, weight, None, 1, 1).square().sum().backward()
    read = [offset.detach().flatten(1)[:, : 18 * 16].reshape(2, 18, 4, 4).requires_grad_()]
    read += [mask.detach().flatten(1)[:, : 9 * 16].reshape(2, 9, 4, 4).requires_grad_()]
    modulated_deform_conv2d(input, *read, weight, None, 1, 1).square().sum().backward()
    for whole, part in zip((offset, mask), read, strict=True):
        torch.testing.assert_close(whole.grad.flatten(1)[:, : part[0].numel()], part.grad.flatten(1))
        assert not whole.grad.flatten(1)[:, part[0].numel() :].any()


def test_going_backward_twice_adds_up(device: torch.device, generator: torch.Generator) -> None:
    input, offset, _, weight, _ = (tensor.to(device).requires_grad_() for tensor in example(generator, GEOMETRIES[0]))
    out = deform_conv2d(input, offset, weight, 1, 1).square().sum()
    once = torch.autograd.grad(out, (input, offset, weight), retain_graph=True)
    out.backward(retain_graph=True)
    out.backward()
    for tensor, grad in zip((input, offset, weight), once, strict=True):
        torch.testing.assert_close(tensor.grad, 2 * grad)


@pytest.mark.parametrize("layer", [DeformConv2dPack, ModulatedDeformConv2dPack])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(device: torch.device, layer: type, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = layer(4, 6, 3, padding=1).to(device)
    torch.nn.init.normal_(module.conv_offset.weight, std=0.1)
    x = torch.randn(2, 4, 8, 8, device=device, requires_grad=True)
    expected = module(x)
    with torch.autocast(device.type, dtype):
        out = module(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)
    out.float().sum().backward()
    assert x.grad.dtype == torch.float32
    assert module.weight.grad.abs().sum() > 0
    assert module.conv_offset.weight.grad.abs().sum() > 0
