"""Cells of a CSV that a spreadsheet opens: what came from a store is shown there, not run."""

from __future__ import annotations

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a spreadsheet's formula begins."""


def cell(value: Any) -> Any:
    """The value; a text that a spreadsheet would run gets a leading apostrophe.

    Example:
        >>> cell("=HYPERLINK(1)"), cell("-0.5"), cell(-0.5)
        ("'=HYPERLINK(1)", '-0.5', -0.5)
    """
    if not isinstance(value, str) or not value.startswith(FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
