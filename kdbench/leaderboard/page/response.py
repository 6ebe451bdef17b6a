"""Response curves: the metric against each parameter that was searched, one small chart each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kdbench.leaderboard.page.chart import Chart, Section, layout, log_ticks, metric_title, plural, shown
from kdbench.leaderboard.page.data import View
from kdbench.leaderboard.page.palette import Look
from kdbench.leaderboard.page.searched import Param, Searched, reasons, searches
from kdbench.specs import metrics

FEWEST = 2
ENOUGH_FOR_A_BOX = 5
NOTE = (
    "Each point is a completed trial of the search, measured on the search split; the ring marks the best. "
    "The other parameters vary too, so a slope here is a hint and no proof."
)


def response(view: View, looks: dict[str, Look]) -> Section:
    """The charts of all searches on a task, and a line for each search that has none."""
    section = Section(f"response-{view.name}", "Response to each parameter", NOTE)
    left_out: list[tuple[Searched, str]] = []
    for search in searches(view.trials):
        if not search.params:
            left_out.append((search, f"no parameter was varied ({plural(len(search.trials), 'completed trial')})"))
        elif len(search.trials) < FEWEST:
            left_out.append((search, f"needs {FEWEST} completed trials, has {len(search.trials)}"))
        else:
            several = len(view.studies) > 1
            look = looks[search.method]
            section.charts.extend(_chart(view, search, param, look, several) for param in search.params)
    section.gaps.extend(reasons(left_out))
    return section


def _chart(view: View, search: Searched, param: Param, look: Look, several: bool) -> Chart:
    figures = search.figures()
    best = figures.index(metrics.best(view.metric, figures) or figures[0])
    values = search.values(param)
    draw = _choices if param.scale == "choice" else _numbers
    data, xaxis = draw(search, param, values, look)
    data.append(_ring(data[-1]["x"][best], figures[best]))
    title = f"{search.method}: {param.name}" + (f" ({search.study})" if several else "")
    alt = (
        f"{view.metric} of {plural(len(figures), 'trial')} against {param.name} of {search.method}. "
        f"Best {shown(figures[best])} at {values[best]}; worst {shown(_worst(view.metric, figures))}."
    )
    axis = param.name + (" (logarithmic)" if param.scale == "log" else "")
    drawn = layout(axis, metric_title(view.metric), height=300, xaxis=xaxis, showlegend=False)
    drawn["margin"]["b"] = 40
    name = f"response-{view.name}-{search.study}-{search.method}-{param.key}"
    return Chart(name, title, alt, {"data": data, "layout": drawn}, 300, wide=False)


def _worst(metric: str, figures: Sequence[float]) -> float:
    return min(figures, key=lambda value: metrics.merit(metric, value))


def _numbers(
    search: Searched, param: Param, values: list[Any], look: Look
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Points on a number axis. On a logarithmic one, 0 stands a step left of the smallest value."""
    positive = [value for value in values if value is not None and value > 0]
    axis: dict[str, Any] = {}
    places = values
    if param.scale == "log" and positive:
        zero = min(positive) / 3
        places = [value if value is None or value > 0 else zero for value in values]
        ticks = log_ticks(min(positive), max(positive))
        if any(value is not None and value <= 0 for value in values):
            ticks = {"tickvals": [zero, *ticks["tickvals"]], "ticktext": ["0", *ticks["ticktext"]]}
        axis = {"type": "log", **ticks}
    return [{**_points(search, look), "x": places, "customdata": values}], axis


def _choices(
    search: Searched, param: Param, values: list[Any], look: Look
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A strip of points for each choice, with a box behind it where there are enough."""
    names = [str(value) for value in values]
    order = sorted(set(names), key=_natural)
    counts = [names.count(name) for name in order]
    points = {**_points(search, look), "x": names, "customdata": names}
    axis = {"type": "category", "categoryorder": "array", "categoryarray": order}
    if min(counts) < ENOUGH_FOR_A_BOX:
        return [points], axis
    box = {
        "type": "box",
        "x": names,
        "y": search.figures(),
        "boxpoints": False,
        "line": {"color": look.colour, "width": 1},
        "fillcolor": "rgba(128,128,128,0.15)",
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [box, points], axis


def _natural(text: str) -> tuple[int, float, str]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return 1, 0.0, text
    return (0, float(value), "") if isinstance(value, (int, float)) else (1, 0.0, text)


def _points(search: Searched, look: Look) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": search.method,
        "y": search.figures(),
        "text": [run.trial for run in search.trials],
        "marker": {"color": look.colour, "size": 8, "symbol": look.symbol},
        "hovertemplate": "%{text}<br>%{customdata}: %{y:.4f}<extra></extra>",
    }


def _ring(x: Any, y: float) -> dict[str, Any]:
    marker = {"size": 17, "symbol": "circle-open", "color": "#808080", "line": {"width": 1.5}}
    return {"type": "scatter", "mode": "markers", "x": [x], "y": [y], "marker": marker, "hoverinfo": "skip"}
