"""Synchronised batch norm on the CPU: torch's own refuses CPU tensors in a group of several processes.

The statistics come from one gather of (count, mean, sum of squares) a process: every process computes the same numbers
from the same ones, in the same order. The backward pass takes one all-reduce.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable


class AllReduceBatchNorm(nn.modules.batchnorm._BatchNorm):
    """What `nn.SyncBatchNorm` does, on CPU tensors, over any backend, with unequal parts on the processes.

    Not a subclass of it, because DistributedDataParallel refuses those on the CPU.

    Formula:
        y = (x - E[x]) / sqrt(Var[x] + eps) weight + bias, E and Var over the batch of the whole group when training;
        the running variance takes the unbiased one. State-dict keys are those of plain batch norm.

    Shapes:
        input, output: (N, C, ...); N may differ between processes, and be 0 on some.

    Raises:
        ValueError: the whole group has a single value a channel, or the input has not num_features channels.

    Reference:
        Ioffe, Szegedy, Batch Normalization, ICML 2015, arXiv 1502.03167.
    """

    process_group: Any = None

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor = self._count_batch()
        batch_statistics = self.training or self.running_mean is None
        tracks = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if tracks else (None, None)
        if not (self.training and _world_size(self.process_group) > 1):
            return F.batch_norm(input, mean, var, self.weight, self.bias, batch_statistics, factor, self.eps)
        if input.shape[1] != self.num_features:
            raise ValueError(f"batch norm of {self.num_features} channels got an input of {input.shape[1]} channels")
        group = self.process_group or distributed.group.WORLD
        return _Normalize.apply(input, self.weight, self.bias, mean, var, self.eps, factor, group)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"batch norm needs an input of at least 2 dimensions, got {input.dim()}")

    def _count_batch(self) -> float:
        """Counts a training batch; returns how much of it goes into the running statistics."""
        if not (self.training and self.track_running_stats):
            return 0.0
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum


def convert_sync_batchnorm_for_cpu(module: nn.Module) -> nn.Module:
    """Turns each `nn.SyncBatchNorm` in `module`, or `module` itself, into an `AllReduceBatchNorm`; returns `module`.

    The modules stay the same objects: parameters, buffers, modes, hooks, and an optimizer's hold on them are untouched.

    Example:
        >>> model = convert_sync_batchnorm_for_cpu(nn.SyncBatchNorm.convert_sync_batchnorm(model))
    """
    for child in module.modules():
        if isinstance(child, nn.SyncBatchNorm):  # mmcv builds a subclass of its own
            child.__class__ = AllReduceBatchNorm  # type: ignore[assignment]
    return module


class _Normalize(torch.autograd.Function):
    """Normalises with the group's statistics, and updates the running ones."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        eps: float,
        factor: float,
        group: Any,
    ) -> Tensor:
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        count, mean, squares = _statistics(x, group)
        if count <= 1:
            raise ValueError(f"batch norm in training needs more than 1 value per channel, got {tuple(input.shape)}")
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), factor)
            running_var.lerp_((squares / (count - 1)).to(running_var.dtype), factor)
        inverse = torch.rsqrt(squares / count + eps)
        ctx.save_for_backward(input, weight, mean, inverse)
        ctx.group, ctx.count = group, count
        scale = inverse if weight is None else inverse * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        return (x * _broadcast(scale, x) + _broadcast(shift, x)).to(input.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        input, weight, mean, inverse = ctx.saved_tensors
        grad = grad_output.to(mean.dtype)
        normal = (input.to(mean.dtype) - _broadcast(mean, input)) * _broadcast(inverse, input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        sums = torch.stack([grad.sum(axes), (grad * normal).sum(axes)])
        grad_bias, grad_weight = sums.clone()  # this process's share: whoever averages gradients adds the shares up
        grad_input = None
        if ctx.needs_input_grad[0]:
            distributed.all_reduce(sums, group=ctx.group)
            of_mean, of_var = sums / ctx.count
            scale = inverse if weight is None else inverse * weight
            grad_input = grad - _broadcast(of_mean, input) - normal * _broadcast(of_var, input)
            grad_input = (grad_input * _broadcast(scale, input)).to(input.dtype)
        affine = (grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)) if weight is not None else (None, None)
        return (grad_input, *affine, None, None, None, None, None)


def _statistics(x: Tensor, group: Any) -> tuple[float, Tensor, Tensor]:
    """Values a channel, mean (C) and sum of squared distances to the mean (C), of the whole group.

    Formula:
        mean = sum_i n_i m_i / n; squares = sum_i (s_i + n_i (m_i - mean)^2).
        Unlike E[x^2] - E[x]^2, this subtracts no large numbers from each other.
    """
    axes = [axis for axis in range(x.dim()) if axis != 1]
    values = x.numel() // x.shape[1]
    mean = x.sum(axes) / max(values, 1)
    squares = (x - _broadcast(mean, x)).square().sum(axes)
    mine = torch.stack([torch.full_like(mean, values), mean, squares])
    parts = [torch.empty_like(mine) for _ in range(distributed.get_world_size(group))]
    distributed.all_gather(parts, mine, group=group)
    counts, means, squared = torch.stack(parts).unbind(dim=1)
    count = counts.sum(dim=0)
    mean = (counts * means).sum(dim=0) / count.clamp(min=1)
    return float(count[0]), mean, (squared + counts * (means - mean).square()).sum(dim=0)


def _broadcast(channels: Tensor, like: Tensor) -> Tensor:
    return channels.view(1, -1, *[1] * (like.dim() - 2))


def _world_size(group: Any) -> int:
    ready = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size(group) if ready else 1
