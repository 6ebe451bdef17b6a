"""A random stream of one's own, swapped in for a block, so that the training's stream is never disturbed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class RandomStream:
    """Streams of Python, NumPy and torch (CPU and the device in use) for the code inside `active`.

    Example:
        >>> stream = RandomStream(seed=7)
        >>> with stream.active(torch.device("cpu")):
        ...     noise = torch.rand(3)  # the caller's own torch stream has not moved
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._python = random.Random(seed).getstate()
        self._numpy: Any = np.random.RandomState(seed % 2**32).get_state()
        self._torch = torch.Generator().manual_seed(seed).get_state()
        self._cuda: torch.Tensor | None = None

    @contextmanager
    def active(self, device: torch.device) -> Iterator[None]:
        """Draw from this stream while the block runs; it goes on where the last block ended."""
        cuda = device if device.type == "cuda" else None
        if cuda and self._cuda is None:
            self._cuda = torch.Generator(cuda).manual_seed(self.seed).get_state()
        outer = random.getstate(), np.random.get_state(), torch.get_rng_state()
        outer_cuda = torch.cuda.get_rng_state(cuda) if cuda else None
        self._set(self._python, self._numpy, self._torch, self._cuda, cuda)
        try:
            yield
        finally:
            self._python, self._numpy, self._torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
            if cuda:
                self._cuda = torch.cuda.get_rng_state(cuda)
            self._set(*outer, outer_cuda, cuda)

    @staticmethod
    def _set(python: Any, numpy: Any, cpu: torch.Tensor, state: torch.Tensor | None, cuda: torch.device | None) -> None:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda and state is not None:
            torch.cuda.set_rng_state(state, cuda)

    def state_dict(self) -> dict[str, Any]:
        """The state as tensors, numbers and lists (loadable with weights_only)."""
        version, internal, gauss = self._python
        name, keys, position, has_gauss, cached = self._numpy
        return {
            "python": [version, list(internal), gauss],
            "numpy": [str(name), torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(cached)],
            "torch": self._torch.clone(),
            "cuda": None if self._cuda is None else self._cuda.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        version, internal, gauss = state["python"]
        self._python = (version, tuple(internal), gauss)
        name, keys, *rest = state["numpy"]
        self._numpy = (name, keys.numpy().astype(np.uint32), *rest)
        self._torch = state["torch"].clone()
        self._cuda = None if state["cuda"] is None else state["cuda"].clone()
