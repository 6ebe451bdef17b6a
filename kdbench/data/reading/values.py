"""Values as tools write them: numbers, flags and ids that came through a spreadsheet, a script or another country."""

from __future__ import annotations

import math
from typing import Any

NO = frozenset({"", "0", "false", "no", "n", "f", "none", "null", "nan", "unspecified"})
YES = frozenset({"1", "true", "yes", "y", "t"})
SIDES = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
)
CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"))
"""Names of a box's four numbers where it is written with names: left, top and size, or two corners."""
Four = tuple[float, float, float, float]
NOTHING: Four = (math.nan, math.nan, math.nan, math.nan)


def number(value: Any) -> float:
    """A number, also from text ("160.0", "12,5"); NaN where there is none.

    Example:
        >>> number(" 12,5 ")
        12.5
    """
    if isinstance(value, bool):
        return math.nan
    try:
        if isinstance(value, str):
            text = value.strip()
            return float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def whole(value: Any) -> int:
    """A side of an image in pixels, also from "160.0"; 0 where there is none."""
    found = number(value)
    return round(found) if 1 <= found < math.inf else 0


def flag(value: Any) -> bool:
    """True or false, also from text ("0", "1.0", "false").

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        text = value.strip().lower()
        if text in NO or text in YES:
            return text in YES
        value = number(text)
        if math.isnan(value):
            raise ValueError("is neither 0 nor 1")
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, int | float):
        # Tables write NaN where a cell is empty.
        return not math.isnan(value) and value != 0
    raise ValueError("is neither 0 nor 1")


def ident(value: Any) -> Any:
    """An id whatever its type: 7, "7" and 7.0 are one id, "007" and "a" are texts.

    Raises:
        TypeError: a list or an object is no id.
    """
    if isinstance(value, str):
        text = value.strip()
        digits = text.removesuffix(".0")
        if digits.removeprefix("-").isdecimal() and len(digits) < 20 and str(int(digits)) == digits:
            return int(digits)
        return text
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else None
    if isinstance(value, list | dict):
        raise TypeError("is no id")
    return value


def sides(value: Any) -> tuple[Four, bool]:
    """Left, top, width, height of a COCO box, and whether it was written in another way than four numbers.

    Text ("[1, 2, 3, 4]", "1 2 3 4"), numbers as text, a row of a matrix and named numbers are taken; anything else is NaN.
    """
    if isinstance(value, dict):
        four = _named(value)
        return four, not any(map(math.isnan, four))
    odd = isinstance(value, str)
    if isinstance(value, str):
        value = _split(value)
    elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value, odd = value[0], True
    if not isinstance(value, list) or len(value) != 4:
        return NOTHING, False
    odd = odd or any(isinstance(side, str) for side in value)
    left, top, width, height = (number(side) for side in value)
    # What gives no box was not read.
    return (left, top, width, height), odd and not any(map(math.isnan, (left, top, width, height)))


def around(left: float, top: float, width: float, height: float, degrees: float) -> Four:
    """Left, top, width and height of the upright box around a box that is turned about its centre."""
    turn = math.radians(degrees)
    wide = abs(width * math.cos(turn)) + abs(height * math.sin(turn))
    high = abs(width * math.sin(turn)) + abs(height * math.cos(turn))
    return (left + (width - wide) / 2, top + (height - high) / 2, wide, high)


def _split(text: str) -> list[str]:
    text = text.strip().strip("[](){}").strip()
    for parts in (text.split(";"), text.replace(", ", " ").split(), text.split(",")):
        if len(parts) == 4:
            return parts
    return []


def _named(value: dict[str, Any]) -> Four:
    found = {str(key).lower(): item for key, item in value.items()}
    for names in CORNERS:
        if all(name in found for name in names):
            left, top, right, bottom = (number(found[name]) for name in names)
            return (left, top, right - left, bottom - top)
    for names in SIDES:
        if all(name in found for name in names):
            left, top, width, height = (number(found[name]) for name in names)
            return (left, top, width, height)
    return NOTHING
