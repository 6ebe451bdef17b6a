"""Operators first, then mmcv; each test on the CPU and, where there is one, on a GPU."""

from __future__ import annotations

import pytest
import torch

from kdbench import ops

ops.install()


@pytest.fixture(
    params=["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where the operator runs."""
    return torch.device(request.param)


@pytest.fixture
def generator() -> torch.Generator:
    """Numbers that are the same in every run, on every device."""
    return torch.Generator().manual_seed(0)
