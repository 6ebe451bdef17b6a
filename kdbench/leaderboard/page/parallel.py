"""Parallel coordinates: each trial is a line over the axes of what was searched, coloured by its metric.

Drawn with plain lines and not with plotly's own kind of trace, which needs WebGL and prints badly.
"""

from __future__ import annotations

import math
from typing import Any

from kdbench.leaderboard.page.chart import Chart, Section, plural, shown
from kdbench.leaderboard.page.data import View
from kdbench.leaderboard.page.palette import SEQUENCE
from kdbench.leaderboard.page.searched import Param, Searched, reasons, searches

FEWEST_PARAMS, FEWEST_TRIALS = 2, 3
NOTE = (
    "One line for each completed trial of the search, from blue (lowest figure) to orange (highest); "
    "the figure is the last axis."
)


def parallel(view: View) -> Section:
    """A chart for each search of two or more parameters."""
    section = Section(f"parallel-{view.name}", "Parallel coordinates", NOTE)
    left_out: list[tuple[Searched, str]] = []
    for search in searches(view.trials):
        if len(search.params) < FEWEST_PARAMS:
            left_out.append((search, f"{plural(len(search.params), 'parameter')} varied; two axes are the least"))
        elif len(search.trials) < FEWEST_TRIALS:
            left_out.append((search, f"needs {FEWEST_TRIALS} completed trials, has {len(search.trials)}"))
        else:
            section.charts.append(_chart(view, search))
    section.gaps.extend(reasons(left_out))
    return section


class _Axis:
    """One axis: where each trial lies on it, from 0 (bottom) to 1, and its ticks."""

    def __init__(self, name: str, scale: str, values: list[Any]) -> None:
        self.name = name
        if scale == "choice":
            options = sorted({str(value) for value in values})
            steps = max(1, len(options) - 1)
            self.places = [options.index(str(value)) / steps for value in values]
            self.ticks = [(i / steps, option) for i, option in enumerate(options)]
            return
        smallest = min((value for value in values if value > 0), default=1.0)
        turned = [math.log10(max(value, smallest / 3)) if scale == "log" else value for value in values]
        low, high = min(turned), max(turned)
        spread = high - low or 1.0
        self.places = [(value - low) / spread for value in turned]
        ends = sorted({(0.0, min(values)), ((high - low) / spread, max(values))})
        self.ticks = [(place, f"{value:.3g}") for place, value in ends]


def _chart(view: View, search: Searched) -> Chart:
    figures = search.figures()
    axes = [_axis(search, param) for param in search.params]
    axes.append(_Axis(view.metric, "linear", figures))
    order = sorted(range(len(figures)), key=lambda i: figures[i])
    data = [_line(search, axes, i, axes[-1].places[i]) for i in order]
    data.append(_bar(axes, figures, view.metric))
    best = max(figures) if figures else None
    names = ", ".join(param.name for param in search.params)
    alt = f"{plural(len(figures), 'trial')} of {search.method} over {names}; highest {view.metric} {shown(best)}."
    title = f"{search.method} ({search.study})" if len(view.studies) > 1 else search.method
    figure = {"data": data, "layout": _layout(axes)}
    return Chart(f"parallel-{view.name}-{search.study}-{search.method}", title, alt, figure, 380)


def _axis(search: Searched, param: Param) -> _Axis:
    values = search.values(param)
    complete = all(value is not None for value in values)
    return _Axis(param.name, param.scale if complete else "choice", values)


def _line(search: Searched, axes: list[_Axis], i: int, share: float) -> dict[str, Any]:
    shade = SEQUENCE[round(share * (len(SEQUENCE) - 1))]
    texts = [f"{param.name} {search.values(param)[i]}" for param in search.params]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(range(len(axes))),
        "y": [axis.places[i] for axis in axes],
        "line": {"color": shade, "width": 2},
        "marker": {"color": shade, "size": 5},
        "name": search.trials[i].trial,
        "hovertemplate": f"{search.trials[i].trial}: {search.figures()[i]:.4f}<br>{'<br>'.join(texts)}<extra></extra>",
    }


def _bar(axes: list[_Axis], figures: list[float], metric: str) -> dict[str, Any]:
    """Points on the last axis, for the colour bar that they bring."""
    bar = {"title": {"text": metric}, "thickness": 12, "len": 0.9}
    marker = {
        "color": figures,
        "colorscale": [[i / (len(SEQUENCE) - 1), shade] for i, shade in enumerate(SEQUENCE)],
        "size": 7,
        "showscale": True,
        "colorbar": bar,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [len(axes) - 1] * len(figures),
        "y": axes[-1].places,
        "marker": marker,
        "hoverinfo": "skip",
    }


def _layout(axes: list[_Axis]) -> dict[str, Any]:
    ticks = [
        {"x": i, "y": place, "text": text, "showarrow": False, "xanchor": "left", "xshift": 6, "font": {"size": 11}}
        for i, axis in enumerate(axes)
        for place, text in axis.ticks
    ]
    line = {"color": "#808080", "width": 1}
    return {
        "height": 380,
        "margin": {"l": 24, "r": 16, "t": 12, "b": 56},
        "hovermode": "closest",
        "showlegend": False,
        "annotations": ticks,
        "shapes": [{"type": "line", "x0": i, "x1": i, "y0": 0, "y1": 1, "line": line} for i in range(len(axes))],
        "xaxis": {
            "tickvals": list(range(len(axes))),
            "ticktext": [axis.name for axis in axes],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
            "range": [-0.3, len(axes) - 0.5],
        },
        "yaxis": {"visible": False, "range": [-0.06, 1.06]},
    }
