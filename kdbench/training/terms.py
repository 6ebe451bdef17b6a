"""Loss terms -> the total to differentiate, and figures for the log with one look at the device."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, distributed

_BLOCK = 64
"""Terms are reduced over the ranks in blocks of this size, so that ranks with unequal terms do not wait for ever."""


def total(losses: dict[str, Tensor | list[Tensor]]) -> tuple[Tensor, OrderedDict[str, float]]:
    """Add what has "loss" in its name, as mmdet does; log every term and the total, averaged over the ranks.

    Raises:
        RuntimeError: the ranks have different terms.
    """
    means: OrderedDict[str, Tensor] = OrderedDict()
    for name, value in losses.items():
        means[name] = value.mean() if isinstance(value, Tensor) else sum(part.mean() for part in value)  # type: ignore[assignment]
    loss: Any = sum(value for name, value in means.items() if "loss" in name)
    means["loss"] = loss
    return loss, OrderedDict(zip(means, _to_floats(list(means.values())), strict=True))


def _to_floats(values: list[Tensor]) -> list[float]:
    stacked = torch.stack([value.detach().float() for value in values])
    world = distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
    if world == 1:
        return stacked.tolist()
    block = stacked.new_zeros(-(-(len(values) + 1) // _BLOCK) * _BLOCK)
    block[0] = len(values)
    block[1 : len(values) + 1] = stacked
    distributed.all_reduce(block)
    counted, *figures = block.tolist()
    if counted != len(values) * world:
        raise RuntimeError(f"the processes have unequal numbers of loss terms ({len(values)} here, {counted:g} in all)")
    return [figure / world for figure in figures[: len(values)]]
