"""Plain data as the Python text of an mmdet config, so that strings come back as they were whatever is in them."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping
from typing import Any

WIDTH = 100


class Expression(str):
    """Python that is written as it stands, `data_root + 'val/'` say."""

    __slots__ = ()


def config_text(values: Mapping[str, Any]) -> str:
    """A line `name = value` for each entry, folded where it is long.

    Example:
        >>> config_text({"data": {"ann_file": Expression("data_root + 'val.json'")}})
        "data = dict(ann_file=data_root + 'val.json')\\n"
    """
    return "".join(f"{name} = {_write(value, 0, len(name) + 3)}\n" for name, value in values.items())


def _write(value: Any, indent: int, before: int) -> str:
    flat = _flat(value)
    if not value or not isinstance(value, dict | list | tuple) or indent + before + len(flat) < WIDTH:
        return flat
    start, parts, end = _parts(value)
    deeper = indent + 4
    lines = [f"{' ' * deeper}{name}{_write(item, deeper, len(name) + 1)},\n" for name, item in parts]
    return f"{start}\n{''.join(lines)}{' ' * indent}{end}"


def _flat(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        start, parts, end = _parts(value)
        single = isinstance(value, tuple) and len(value) == 1
        return f"{start}{', '.join(name + _flat(item) for name, item in parts)}{',' if single else ''}{end}"
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def _parts(value: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> tuple[str, list[tuple[str, Any]], str]:
    """How it begins, its items with what stands before each, and how it ends."""
    if not isinstance(value, dict):
        start, end = "[]" if isinstance(value, list) else "()"
        return start, [("", item) for item in value], end
    if all(isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key) for key in value):
        return "dict(", [(f"{key}=", item) for key, item in value.items()], ")"
    return "{", [(f"{key!r}: ", item) for key, item in value.items()], "}"
