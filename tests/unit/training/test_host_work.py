"""What would make the host wait for a card is found on the CPU, each kind with the line that causes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from kdbench.testing.host_work import Counting

VALUES = torch.tensor([0.5, 1.5, 2.5])
MASK = VALUES > 1
PLACES = torch.tensor([0, 2])


def put(value: Any, where: torch.Tensor = MASK) -> torch.Tensor:
    copied = VALUES.clone()
    copied[where] = value
    return copied


@pytest.mark.parametrize(
    ("kind", "does"),
    [
        ("read", lambda: VALUES[0].item()),
        ("read", lambda: bool(VALUES[0] > 1)),
        ("read", lambda: int(MASK.sum())),
        ("nonzero", lambda: MASK.nonzero()),
        ("nonzero", lambda: torch.where(MASK)),
        ("nonzero", lambda: VALUES.unique()),
        ("nonzero", lambda: VALUES.masked_select(MASK)),
        ("mask", lambda: VALUES[MASK]),
        ("masked put", lambda: put(VALUES[PLACES])),
        ("copy to", lambda: VALUES.new_tensor([1.0, 2.0])),
        ("copy to", lambda: torch.tensor([1.0, 2.0], device=VALUES.device)),
        ("copy back", lambda: VALUES.cpu()),
        ("copy back", lambda: VALUES.numpy()),
        ("copy back", lambda: VALUES.tolist()),
    ],
)
def test_what_waits(kind: str, does: Callable[[], Any]) -> None:
    with Counting() as work:
        does()
    assert work.kinds[kind] == 1
    assert any(own == kind and "test_host_work.py" in line for own, line in work.waits)
    if kind != "copy back":
        assert work.total == 1


@pytest.mark.parametrize(
    "does",
    [
        lambda: VALUES[PLACES],
        lambda: VALUES[1:],
        lambda: torch.where(MASK, VALUES, 0.0),
        lambda: VALUES.masked_fill(MASK, 0.0),
        lambda: put(0.0),  # one value: filled in under the mask
        lambda: VALUES * MASK,
        lambda: VALUES.new_zeros(4),
        lambda: functional.one_hot(PLACES, 3),  # its checks are the CPU's
        lambda: torch.as_tensor(VALUES, device=VALUES.device),
        lambda: torch.tensor([1.0, 2.0]),  # it is made on the host
    ],
)
def test_what_does_not(does: Callable[[], Any]) -> None:
    with Counting() as work:
        does()
    assert work.total == 0, work.waits


def test_calls_are_counted_forward_and_backward() -> None:
    weight = torch.ones(3, requires_grad=True)
    with Counting() as forward:
        loss = (weight * VALUES).sum()
    with Counting() as backward:
        loss.backward()
    assert forward.calls == 2
    assert backward.calls >= 3
