"""RoIAlign and RoIPool through mmcv.ops, against loops over bins and samples."""

from __future__ import annotations

import math

import pytest
import torch
from mmcv.ops import RoIAlign, roi_align, roi_pool
from torch import Tensor

from kdbench.errors import InputError

ROIS = [[0, 1.0, 2.0, 9.5, 11.0], [1, 4.2, 0.3, 12.0, 7.7], [1, 5.0, 5.0, 5.5, 5.2], [0, 10.0, 6.0, 25.0, 30.0]]


def bilinear(plane: Tensor, y: float, x: float) -> Tensor:
    """plane (C, H, W) at a point: 0 further than a cell outside, the border's value between."""
    height, width = plane.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return plane.new_zeros(len(plane))
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    fy, fx = y - y0, x - x0
    top = plane[:, y0, x0] * (1 - fx) + plane[:, y0, x1] * fx
    return top * (1 - fy) + (plane[:, y1, x0] * (1 - fx) + plane[:, y1, x1] * fx) * fy


def slow_roi_align(
    input: Tensor, rois: Tensor, size: tuple[int, int], scale: float, ratio: int, aligned: bool
) -> Tensor:
    out = []
    for image, *box in rois.tolist():
        left, top, right, bottom = (value * scale - 0.5 * aligned for value in box)
        width, height = right - left, bottom - top
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        bin_h, bin_w = height / size[0], width / size[1]
        rows, columns = (ratio, ratio) if ratio > 0 else (math.ceil(bin_h), math.ceil(bin_w))
        for i in range(size[0]):
            for j in range(size[1]):
                points = [
                    (top + (i + (a + 0.5) / rows) * bin_h, left + (j + (b + 0.5) / columns) * bin_w)
                    for a in range(rows)
                    for b in range(columns)
                ]
                out.append(sum(bilinear(input[int(image)], y, x) for y, x in points) / max(len(points), 1))
    return torch.stack(out).view(len(rois), *size, input.shape[1]).permute(0, 3, 1, 2)


def slow_roi_pool(input: Tensor, rois: Tensor, size: tuple[int, int], scale: float) -> Tensor:
    out = []
    height, width = input.shape[2:]
    for image, x1, y1, x2, y2 in rois.tolist():
        left, top = x1 * scale, y1 * scale
        bin_h, bin_w = ((y2 + 1) * scale - top) / size[0], ((x2 + 1) * scale - left) / size[1]
        for i in range(size[0]):
            for j in range(size[1]):
                rows = slice(max(math.floor(top + i * bin_h), 0), min(max(math.ceil(top + (i + 1) * bin_h), 0), height))
                cells = slice(
                    max(math.floor(left + j * bin_w), 0), min(max(math.ceil(left + (j + 1) * bin_w), 0), width)
                )
                area = input[int(image), :, rows, cells]
                out.append(area.amax(dim=(1, 2)) if area.numel() else input.new_zeros(input.shape[1]))
    return torch.stack(out).view(len(rois), *size, input.shape[1]).permute(0, 3, 1, 2)


def feature(generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    input = torch.randn(2, 3, 8, 9, generator=generator, dtype=torch.float64).to(device)
    return input, torch.tensor(ROIS, dtype=torch.float64, device=device)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("ratio", "scale"), [(0, 0.5), (2, 1.0), (0, 1.0)])
def test_roi_align(device: torch.device, generator: torch.Generator, ratio: int, scale: float, aligned: bool) -> None:
    input, rois = feature(generator, device)
    ours, plain = input.clone().requires_grad_(), input.cpu().clone().requires_grad_()
    out = roi_align(ours, rois, (3, 2), scale, ratio, "avg", aligned)
    expected = slow_roi_align(plain, rois.cpu(), (3, 2), scale, ratio, aligned)
    torch.testing.assert_close(out.cpu(), expected)
    grad = torch.randn(out.shape, generator=generator, dtype=out.dtype)
    out.backward(grad.to(device))
    expected.backward(grad)
    torch.testing.assert_close(ours.grad.cpu(), plain.grad)


def test_roi_align_gradcheck(device: torch.device, generator: torch.Generator) -> None:
    input, rois = feature(generator, device)
    small = input[:, :1].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: roi_align(x, rois[:2], 2, 0.5, 2, "avg", True), (small,), nondet_tol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_roi_align_in_half_and_autocast(device: torch.device, generator: torch.Generator, dtype: torch.dtype) -> None:
    input, rois = (tensor.float() for tensor in feature(generator, device))
    layer = RoIAlign(2, 0.5, 2)
    reference = layer(input, rois)
    half = input.to(dtype).requires_grad_()
    with torch.autocast(device.type, torch.bfloat16):
        out = layer(half, rois)  # boxes stay float32 under autocast
    assert out.dtype == dtype
    out.float().sum().backward()
    assert half.grad.dtype == dtype
    assert half.grad.abs().sum() > 0
    torch.testing.assert_close(out.float(), reference, rtol=2e-2, atol=2e-2)


def test_no_regions_and_max_mode(device: torch.device) -> None:
    input = torch.zeros(1, 2, 4, 4, device=device, requires_grad=True)
    for pool in (roi_align, roi_pool):
        out = pool(input, torch.zeros(0, 5, device=device), 3)
        out.sum().backward()
        assert out.shape == (0, 2, 3, 3)
        assert not input.grad.any()
    with pytest.raises(InputError, match="roi_align: pool_mode 'max'"):
        roi_align(input, torch.zeros(1, 5, device=device), 3, 1.0, 0, "max", True)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_roi_pool(device: torch.device, generator: torch.Generator, scale: float) -> None:
    input, rois = feature(generator, device)
    ours, plain = input.clone().requires_grad_(), input.cpu().clone().requires_grad_()
    out, expected = roi_pool(ours, rois, (3, 2), scale), slow_roi_pool(plain, rois.cpu(), (3, 2), scale)
    torch.testing.assert_close(out.cpu(), expected, rtol=0, atol=0)
    grad = torch.randn(out.shape, generator=generator, dtype=out.dtype)
    out.backward(grad.to(device))
    expected.backward(grad)
    torch.testing.assert_close(ours.grad.cpu(), plain.grad)
    half = input.half().requires_grad_()
    pooled = roi_pool(half, rois.float(), (3, 2), scale)
    pooled.sum().backward()
    assert pooled.dtype == half.grad.dtype == torch.float16


def test_roi_pool_of_a_malformed_region_is_zero(device: torch.device) -> None:
    input = torch.ones(1, 1, 4, 4, device=device, requires_grad=True)
    out = roi_pool(input, torch.tensor([[0, 3.0, 3.0, 1.0, 1.0]], device=device), 2)
    out.sum().backward()
    assert not out.any()
    assert not input.grad.any()
