"""Comparing finished runs. `kdbench.leaderboard(...)` gives the rows as a pandas DataFrame."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package is a function as well: `kdbench.leaderboard("study")` is `kdbench.leaderboard.api.leaderboard`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from kdbench.leaderboard.api import leaderboard

        return leaderboard(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
