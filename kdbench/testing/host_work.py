"""What a step asks of the host: operator calls, and what would make it wait for a card. Counted on any device.

On a card the host runs ahead of the device until it must know a value: a number that is read (`item`), the size of what a
mask selects (`nonzero`, and all that hides one), a tensor that is copied back. Copies of Python numbers and lists to the
device are small, but wait as well, since their memory is not pinned.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

READ, NONZERO, MASK, PUT, TO, BACK = "read", "nonzero", "mask", "masked put", "copy to", "copy back"
KINDS = (READ, NONZERO, MASK, PUT, TO, BACK)
"""A number that is read; the places of a mask; indexing by one; writing by one; Python numbers to the device; back."""

_SIZED = ("nonzero", "masked_select", "unique_dim", "unique_consecutive", "_unique2", "_unique")
_BACK = (torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.tolist)
_MADE = (torch.tensor, torch.as_tensor)
_OF_THE_CPU = (torch.nn.functional.one_hot,)
"""Functions that check values on the CPU alone: what they read there is not counted."""
_TORCH = str(Path(torch.__file__).parent)


@dataclass
class HostWork:
    """What was counted.

    Attributes:
        calls: of operators.
        waits: (kind, line that causes it) -> how often.
    """

    calls: int = 0
    waits: Counter[tuple[str, str]] = field(default_factory=Counter)
    _quiet: bool = False

    def wait(self, kind: str) -> None:
        """One more, at the line outside torch that runs now."""
        if not self._quiet:
            self.waits[kind, _line()] += 1

    @property
    def kinds(self) -> dict[str, int]:
        """Waits by kind."""
        return {kind: sum(count for (own, _), count in self.waits.items() if own == kind) for kind in KINDS}

    @property
    def total(self) -> int:
        """All that makes the host wait."""
        return sum(self.waits.values())


class Counting:
    """Counts in its block.

    Example:
        >>> with Counting() as work:
        ...     mask = torch.arange(3) > 1
        ...     found = torch.arange(3)[mask]
        >>> work.kinds["mask"], work.kinds["read"]
        (1, 0)
    """

    def __init__(self) -> None:
        self.work = HostWork()
        self._modes = (_Functions(self.work), _Operators(self.work))

    def __enter__(self) -> HostWork:
        for mode in self._modes:
            mode.__enter__()
        return self.work

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class _Operators(TorchDispatchMode):
    def __init__(self, work: HostWork) -> None:
        super().__init__()
        self._work = work

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._work.calls += 1
        kind = _kind(func, args)
        if kind is not None:
            self._work.wait(kind)
        return func(*args, **(kwargs or {}))


class _Functions(TorchFunctionMode):
    """What is no operator on the CPU: copies to the device and back."""

    def __init__(self, work: HostWork) -> None:
        super().__init__()
        self._work = work

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in _BACK:
            self._work.wait(BACK)
        elif (func in _MADE and given.get("device") is not None and not isinstance(args[0], torch.Tensor)) or (
            func is torch.Tensor.new_tensor and not isinstance(args[1], torch.Tensor)
        ):
            self._work.wait(TO)
        before, self._work._quiet = self._work._quiet, self._work._quiet or func in _OF_THE_CPU
        try:
            return func(*args, **given)
        finally:
            self._work._quiet = before


def _kind(func: Any, args: Any) -> str | None:
    name = func.overloadpacket.__name__
    if name == "_local_scalar_dense":
        return READ
    if name in _SIZED:
        return NONZERO
    if name in ("index", "index_put", "index_put_", "_index_put_impl_") and any(
        isinstance(one, torch.Tensor) and one.dtype in (torch.bool, torch.uint8) for one in args[1]
    ):
        if name == "index":
            return MASK
        # One value for all places needs no places: it is filled in where the mask is.
        return None if args[2].numel() == 1 and args[2].device == args[0].device else PUT
    return None


def _line() -> str:
    """Where in the code outside torch this comes from."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_TORCH) and file != __file__:
            parts = Path(file).parts
            start = max((i for i, part in enumerate(parts) if part in ("site-packages", "kdbench")), default=-1)
            own = parts[start:] if start >= 0 and parts[start] == "kdbench" else parts[start + 1 :]
            return f"{'/'.join(own)}:{frame.f_lineno}"
        frame = frame.f_back
    return "autograd"
