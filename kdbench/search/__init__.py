"""Ray Tune: studies, proposals, resources, resume, cluster. `kdbench.search(...)` starts a search from Python."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package is a function as well: `kdbench.search("defeat")` is `kdbench.search.api.search("defeat")`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from kdbench.search.api import search

        return search(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
