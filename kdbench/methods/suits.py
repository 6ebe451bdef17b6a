"""Which method suits which detector, without building either."""

from __future__ import annotations

from typing import Any

from kdbench.errors import InputError
from kdbench.methods.base import DetectorInfo, Method


def refusal(method: type[Method], info: DetectorInfo, params: dict[str, Any] | None = None) -> str | None:
    """Why the method, with its published values, cannot distil such a detector into another of its kind; None if it can.

    Example:
        >>> refusal(registry.get("defeat"), FAMILIES["retinanet"]) is None
        True
    """
    values = {**method.Params().plain(), **method.default_params(info), **(params or {})}
    try:
        method.check(
            method.Params.parse(values, f"params of {method.name}"), info, info if method.needs_teacher else None
        )
    except InputError as error:
        return str(error)
    return None
