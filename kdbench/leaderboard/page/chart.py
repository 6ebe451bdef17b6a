"""What the charts share: a figure as plain data for plotly.js, with the text that stands for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from kdbench.specs import metrics
from kdbench.specs.study import BASELINE

Figure = dict[str, Any]
"""`data` and `layout`, as plotly.js takes them. Colours of text and grid are the page's, by its light or dark scheme."""

MANY_DECADES = 200


@dataclass(frozen=True)
class Chart:
    """One figure.

    Attributes:
        title: shown above it; "" where the section's title says it.
        alt: what the figure shows, in words and numbers, for those who do not see it.
        height: in pixels.
        wide: takes the whole width of the page.
    """

    id: str
    title: str
    alt: str
    figure: Figure
    height: int = 360
    wide: bool = True


@dataclass(frozen=True)
class Section:
    """A part of the page about one question.

    Attributes:
        note: how to read the charts.
        gaps: what is not shown, and why: a line each.
        head, lines: a small table below the charts.
    """

    id: str
    title: str
    note: str = ""
    charts: list[Chart] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    head: tuple[str, ...] = ()
    lines: list[tuple[str, ...]] = field(default_factory=list)


def layout(x: str, y: str, height: int = 360, **more: Any) -> dict[str, Any]:
    """A layout with named axes; `more` are other keys of it, and xaxis and yaxis add to the axes.

    Args:
        x, y: titles of the axes, with units.
        height: in pixels.
    """
    xaxis = {"title": {"text": x}, "automargin": True, **more.pop("xaxis", {})}
    yaxis = {"title": {"text": y}, "automargin": True, **more.pop("yaxis", {})}
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 56, "r": 16, "t": 12, "b": 48},
        "hovermode": "closest",
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        "xaxis": xaxis,
        "yaxis": yaxis,
    }
    return {**base, **more}


def metric_title(metric: str, split: str = "") -> str:
    """An axis title: the metric, its unit and its better direction."""
    better = ", lower is better" if metrics.mode(metric) == "min" else ""
    return f"{metric} (0 to 1{f', {split} split' if split else ''}{better})"


def shown(value: float | None) -> str:
    """A figure of 0 to 1, or of hours, for a sentence."""
    return "unknown" if value is None else f"{value:.3g}" if abs(value) >= 1 else f"{value:.3f}"


def label(method: str) -> str:
    """A method's name in a legend."""
    return f"{method} (baseline)" if method == BASELINE else method


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of each power of ten that lie in a range, written in full; powers alone in a wide one.

    Example:
        >>> log_ticks(0.4, 3)["ticktext"]
        ['0.5', '1', '2']
    """
    digits = (1, 2, 5) if high / low < MANY_DECADES else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in digits]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    chosen = inside if len(inside) > 1 else sorted({low, high})
    return {"tickvals": chosen, "ticktext": [f"{tick:.3g}" for tick in chosen]}


def plural(count: int, thing: str) -> str:
    """`1 trial`, `2 trials`, `2 studies`."""
    if count == 1:
        return f"1 {thing}"
    return f"{count} {thing[:-1]}ies" if thing.endswith("y") else f"{count} {thing}s"
