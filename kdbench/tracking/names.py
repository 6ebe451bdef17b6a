"""Plain data in the forms that MLflow accepts: metric names, flat params, quoted tag values."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

LONGEST_NAME = 250
LONGEST_PARAM = 500
"""Servers before MLflow 2.10 refuse more; the whole recipe is an artifact."""
LONGEST_TAG = 5000
CHUNK = 100
"""Params and tags that one request may carry."""


def metric_name(name: str) -> str:
    """The nearest name that MLflow accepts.

    Example:
        >>> metric_name("val/mAP@0.5")
        'val/mAP_0.5'
    """
    safe = re.sub(r"[^\w.\- /]", "_", name, flags=re.ASCII)
    parts = [part for part in safe.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:LONGEST_NAME] or "_"


def metrics(values: dict[str, Any]) -> dict[str, float]:
    """The finite numbers among `values`, under names that MLflow accepts."""
    numbers = {metric_name(k): float(v) for k, v in values.items() if isinstance(v, (int, float))}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def flatten(data: dict[str, Any]) -> dict[str, str]:
    """Nested plain data as flat params; keys joined by dots, lists as JSON, None as `none`.

    Example:
        >>> flatten({"schedule": {"lr": 0.002, "grad_clip": None}})
        {'schedule.lr': '0.002', 'schedule.grad_clip': 'none'}
    """
    return {_param_name(key): shorten(_text(value), LONGEST_PARAM) for key, value in _leaves(data, "")}


def shorten(text: str, length: int) -> str:
    """`text`, or its start and a hash of the whole: two different long texts stay different."""
    if len(text) <= length:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text[: length - 16]}... {digest}"


def matching(tags: dict[str, str]) -> str:
    """The filter of search_runs for runs that have all of these tags."""
    return " and ".join(f"tags.`{name}` = {_quoted(value)}" for name, value in tags.items())


def chunks(items: list[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """`items` in lists of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _leaves(data: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _param_name(key: str) -> str:
    return shorten(metric_name(key), LONGEST_NAME)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, default=str)


def _quoted(value: str) -> str:
    mark = '"' if "'" in value else "'"
    return f"{mark}{value}{mark}"
