"""Features of regions: RoIAlign (torchvision's) and RoIPool (mmcv's binning, which torchvision's differs from)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kdbench.errors import InputError
from kdbench.ops.precision import without_autocast, working_dtype

MAX, AVERAGE = range(2)
"""mmcv's numbers for RoIAlign's `pool_mode`."""


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average of bilinear samples in each bin of each region, into `output`.

    Shapes:
        input: (N, C, H, W); rois: (K, 5) as image index, x1, y1, x2, y2; output: (K, C, aligned_height, aligned_width).

    Raises:
        InputError: pool_mode is `max`, which torchvision has not.

    Reference:
        He et al., Mask R-CNN, ICCV 2017, arXiv 1703.06870.
    """
    _check_mode(pool_mode)
    dtype = working_dtype(input, rois, half_on_cuda=True)
    with without_autocast(input):
        pooled = torch.ops.torchvision.roi_align(
            input.to(dtype), rois.to(dtype), spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
        )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of `roi_align_forward` with respect to its input, added to `grad_input` (N, C, H, W)."""
    _check_mode(pool_mode)
    dtype = working_dtype(grad_output, rois, half_on_cuda=True)
    grad = torch.ops.torchvision._roi_align_backward(
        grad_output.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.add_(grad)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Largest value in each bin of each region, into `output`, its place, into `argmax`; an empty bin gives 0 and -1.

    Formula:
        bin i of n in a region from a = x1 s to b = (x2 + 1) s covers the cells from floor(a + i (b - a) / n)
        to ceil(a + (i + 1) (b - a) / n).

    Shapes:
        input: (N, C, H, W); rois: (K, 5) as image index, x1, y1, x2, y2;
        output, argmax: (K, C, pooled_height, pooled_width).

    Reference:
        Girshick, Fast R-CNN, ICCV 2015, arXiv 1504.08083.
    """
    height, width = input.shape[2:]
    output.zero_()
    argmax.fill_(-1)
    for k, (image, x1, y1, x2, y2) in enumerate(rois.detach().to(working_dtype(rois)).tolist()):
        left, right = x1 * spatial_scale, (x2 + 1) * spatial_scale
        top, bottom = y1 * spatial_scale, (y2 + 1) * spatial_scale
        rows, columns = _cells(top, bottom, height), _cells(left, right, width)
        if not rows or not columns:
            continue
        in_row = _bins(rows, top, bottom, pooled_height, input.device)
        in_column = _bins(columns, left, right, pooled_width, input.device)
        # Rows first, then columns: the largest of the largest, without a tensor of all bins times all cells.
        crop = input[int(image), :, rows.start : rows.stop, columns.start : columns.stop].unsqueeze(1)
        in_rows, row = crop.masked_fill(~in_row[:, :, None], -math.inf).max(dim=2)
        in_bins, column = in_rows.unsqueeze(2).masked_fill(~in_column, -math.inf).max(dim=3)
        place = (row.gather(2, column) + rows.start) * width + column + columns.start
        empty = ~(in_row.any(1)[:, None] & in_column.any(1))
        output[k] = in_bins.masked_fill(empty, 0)
        argmax[k] = place.masked_fill(empty, -1)


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Gradient of `roi_pool_forward` with respect to its input, added to `grad_input` (N, C, H, W)."""
    channels, cells = grad_input.shape[1], grad_input.shape[2] * grad_input.shape[3]
    plane = rois[:, 0].long()[:, None] * channels + torch.arange(channels, device=rois.device)
    place = plane[:, :, None, None] * cells + argmax.clamp(min=0)
    grad = torch.where(argmax >= 0, grad_output, 0)
    grad_input.view(-1).index_add_(0, place.flatten(), grad.flatten().to(grad_input.dtype))


def _cells(start: float, end: float, count: int) -> range:
    """The cells of 0..count that a region touches; none of a malformed one, which ends before it begins."""
    if end <= start:
        return range(0)
    return range(max(math.floor(start), 0), min(math.ceil(end) + 1, count))  # a cell more: rounding in `_bins`


def _bins(cells: range, start: float, end: float, count: int, device: torch.device) -> Tensor:
    """Which cells lie in which of the `count` bins between start and end: (count, cells), bool."""
    size = (end - start) / count
    cell = torch.arange(cells.start, cells.stop, device=device)
    index = torch.arange(count, device=device, dtype=torch.float64)
    first, last = torch.floor(index * size + start), torch.ceil((index + 1) * size + start)
    return (cell >= first[:, None]) & (cell < last[:, None])


def _check_mode(pool_mode: int) -> None:
    if pool_mode != AVERAGE:
        raise InputError(
            "roi_align: pool_mode 'max' is not provided by torchvision; use pool_mode 'avg', "
            "or install a compiled mmcv-full"
        )
