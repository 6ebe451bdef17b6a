"""kdbench: search and benchmarking of knowledge distillation for object detectors.

    import kdbench

    result = kdbench.search("defeat", task="shapes", trials=6)
    table = kdbench.leaderboard(result.study)

Heavy imports happen when a function needs them.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from kdbench._version import __version__

__all__ = ["__version__", "bench", "leaderboard", "search"]


class _Search(ModuleType):
    """`kdbench.search` is a room, and a function as well: `kdbench.search("defeat")` is `kdbench.studies.search("defeat")`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from kdbench.studies import search

        return search(*args, **kwargs)


class _Package(ModuleType):
    """Makes `kdbench.search` callable when it is imported: the room itself knows nothing of what lies above it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "search" and type(value) is ModuleType:
            value.__class__ = _Search
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in ("search", "leaderboard"):
        return importlib.import_module(f"kdbench.{name}")
    if name == "bench":
        return importlib.import_module("kdbench.suites").bench
    raise AttributeError(f"module 'kdbench' has no attribute {name!r}")
