"""The leaderboard: rows over finished runs. The package itself can be called.

import kdbench

kdbench.leaderboard("my-study")[["rank", "method", "mean", "delta", "verdict"]]
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leaderboard"]


def leaderboard(
    *studies: str, task: str | None = None, storage: str | Path | None = None, tracking_uri: str | None = None
) -> pd.DataFrame:
    """The leaderboard of `studies` (all, when none is named) as a data frame; see `kdbench.leaderboard.api`."""
    from kdbench.leaderboard import api

    return api.leaderboard(*studies, task=task, storage=storage, tracking_uri=tracking_uri)


class _Callable(ModuleType):
    """`kdbench.leaderboard` is a package, and the function of the same name."""

    def __call__(
        self,
        *studies: str,
        task: str | None = None,
        storage: str | Path | None = None,
        tracking_uri: str | None = None,
    ) -> pd.DataFrame:
        return leaderboard(*studies, task=task, storage=storage, tracking_uri=tracking_uri)


sys.modules[__name__].__class__ = _Callable
