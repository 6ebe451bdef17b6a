"""kdbench: search and benchmarking of knowledge distillation for object detectors.

    import kdbench

    result = kdbench.search("defeat", task="shapes", trials=6)
    table = kdbench.leaderboard(result.study)

Heavy imports happen when a function needs them.
"""

from __future__ import annotations

import importlib
from typing import Any

from kdbench._version import __version__

__all__ = ["__version__", "bench", "leaderboard", "search"]


def __getattr__(name: str) -> Any:
    if name in ("search", "leaderboard"):
        return importlib.import_module(f"kdbench.{name}")
    if name == "bench":
        return importlib.import_module("kdbench.search.suites").bench
    raise AttributeError(f"module 'kdbench' has no attribute {name!r}")
