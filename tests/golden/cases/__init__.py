"""What a golden file tests, told from its arrays alone. One module a method, with

    def cases(arrays: Arrays) -> list[Check]

A check is a name and a function that raises AssertionError. An empty list means: these arrays are not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Check:
    """One comparison with a golden file."""

    name: str
    run: Callable[[], None]


def numbered(arrays: Arrays, prefix: str) -> dict[int, Tensor]:
    """Arrays `<prefix><number>` by number, as tensors, in order."""
    found = {int(m[1]): key for key in arrays if (m := re.fullmatch(re.escape(prefix) + r"(\d+)", key))}
    return {number: tensor(arrays[found[number]]) for number in sorted(found)}


def tensor(array: np.ndarray) -> Tensor:
    """A tensor of its own memory."""
    return torch.from_numpy(np.array(array))


def floats(maps: dict[int, Tensor]) -> dict[int, Tensor]:
    """Float32 leaves that want a gradient."""
    return {number: value.float().requires_grad_() for number, value in maps.items()}


def boxes_of(arrays: Arrays) -> list[Tensor]:
    """The stacked boxes, per image."""
    boxes, image = tensor(arrays["in_boxes"]).float().reshape(-1, 4), tensor(arrays["in_box_image"])
    return [boxes[image == i] for i in range(int(arrays["in_num_images"]))]


def same(actual: Tensor, expected: np.ndarray, what: str) -> None:
    """Equal in every element."""
    got = actual.detach().numpy()
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, golden {expected.shape}"
    wrong = int((got != expected).sum())
    assert wrong == 0, f"{what}: {wrong} of {got.size} elements differ"


def close(actual: Tensor, expected: np.ndarray, what: str, rtol: float = 1e-4, atol: float = 1e-7) -> None:
    """A loss (rtol 1e-4); for gradients give rtol=1e-3."""
    got = actual.detach().numpy()
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, golden {expected.shape}"
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol, err_msg=what)


def gradient(leaf: Tensor) -> Tensor:
    """What reached it; zeros if nothing did."""
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def untouched(teacher: Iterable[Tensor]) -> None:
    """No gradient reached these."""
    assert all(leaf.grad is None for leaf in teacher), "a gradient reached the teacher's inputs"


def leftovers(arrays: Arrays, known: Iterable[str]) -> list[Check]:
    """A failing check if an expected result (out_*, grad_*) matches no pattern, so that nothing passes unread."""
    patterns = [re.compile(pattern) for pattern in known]
    unread = [k for k in arrays if k.startswith(("out_", "grad_")) and not any(p.fullmatch(k) for p in patterns)]

    def fail() -> None:
        raise AssertionError(f"no case compares these arrays: {', '.join(unread)}")

    return [Check("every_result_is_compared", fail)] if unread else []
