"""In which floating type an operator computes: half only where torchvision has it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def working_dtype(*tensors: Tensor, half_on_cuda: bool = False) -> torch.dtype:
    """float64 if any tensor is, float16 if all are, on CUDA, and the operator has such a kernel, else float32.

    Under autocast a convolution hands over float16 or bfloat16 while boxes and parameters stay float32; torchvision
    wants one type, and on the CPU it has no half kernels.
    """
    dtypes = {tensor.dtype for tensor in tensors}
    if torch.float64 in dtypes:
        return torch.float64
    if half_on_cuda and dtypes == {torch.float16} and all(tensor.is_cuda for tensor in tensors):
        return torch.float16
    return torch.float32


def without_autocast(tensor: Tensor) -> Any:
    """A context in which autocast leaves the types on the tensor's device alone: `working_dtype` has chosen."""
    return torch.autocast(tensor.device.type, enabled=False)
