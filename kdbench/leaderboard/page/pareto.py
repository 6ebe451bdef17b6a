"""The Pareto front: which configurations are not beaten in both the metric and a cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kdbench.leaderboard.page.chart import Chart, Section, label, layout, metric_title, plural, shown
from kdbench.leaderboard.page.data import View
from kdbench.leaderboard.page.palette import Look
from kdbench.leaderboard.row import Row
from kdbench.specs import metrics

COSTS = {
    "device_hours": "device-hours of a run (h)",
    "sec_per_iter": "training step (s)",
    "params_m": "parameters of the student (millions)",
}
DIFFERENT = 1.05
"""A cost that varies by less than this factor separates nothing."""
NOTE = (
    "Each point is a row of the table. Filled: measured on the report split; open: on the search split, which flatters. "
    "Bars are 95 % intervals over seeds. The dotted line joins what nothing else beats in both directions, by split."
)


def pareto(view: View, looks: dict[str, Look]) -> Section:
    """A chart for device-hours, and one for each other cost in which the rows differ."""
    section = Section(f"pareto-{view.name}", "Pareto front", NOTE)
    for key, title in COSTS.items():
        rows = [row for row in view.rows if getattr(row, key) is not None]
        costs = [float(getattr(row, key)) for row in rows]
        if len(rows) < 2:
            if key == "device_hours":
                section.gaps.append("fewer than two rows tell their device-hours, so there is nothing to weigh")
        elif key == "device_hours" or (min(costs) > 0 and max(costs) / min(costs) >= DIFFERENT):
            section.charts.append(_chart(view, rows, key, title, looks))
    return section


def front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, merit) that no other beats: none is cheaper and as good, or as cheap and better.

    Example:
        >>> front([(1.0, 0.2), (2.0, 0.1), (3.0, 0.4)])
        [(1.0, 0.2), (3.0, 0.4)]
    """
    kept: list[tuple[float, float]] = []
    for cost, merit in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or merit > kept[-1][1]:
            kept.append((cost, merit))
    return kept


def _chart(view: View, rows: list[Row], key: str, title: str, looks: dict[str, Look]) -> Chart:
    fronts = {split: found for split in ("report", "search") if (found := _front(view, rows, key, split))}
    data = [_line(found, key, split) for split, found in fronts.items() if len(found) > 1]
    for method in sorted({row.method for row in rows}):
        data.append(_points([row for row in rows if row.method == method], key, looks[method]))
    told = [
        f"Not beaten on the {split} split: "
        + "; ".join(f"{row.method} {shown(row.mean)} at {shown(getattr(row, key))}" for row in found)
        for split, found in fronts.items()
    ]
    alt = f"{view.metric} against {title} of {plural(len(rows), 'row')}. {'. '.join(told)}."
    drawn = layout(title, metric_title(view.metric), xaxis={"rangemode": "tozero"})
    return Chart(f"pareto-{key}-{view.name}", title, alt, {"data": data, "layout": drawn}, wide=False)


def _front(view: View, rows: list[Row], key: str, split: str) -> list[Row]:
    own = {(float(getattr(r, key)), metrics.merit(view.metric, r.mean)): r for r in rows if r.split == split}
    return [own[point] for point in front(own)]


def _line(rows: list[Row], key: str, split: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"front, {split} split",
        "x": [getattr(row, key) for row in rows],
        "y": [row.mean for row in rows],
        "line": {"dash": "dot", "width": 1.5, "color": "#808080", "shape": "hv"},
        "opacity": 1 if split == "report" else 0.6,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _points(rows: list[Row], key: str, look: Look) -> dict[str, Any]:
    symbol = look.symbol.removesuffix("-open")
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(rows[0].method),
        "x": [getattr(row, key) for row in rows],
        "y": [row.mean for row in rows],
        "error_y": {"type": "data", "array": [row.ci95 for row in rows], "color": look.colour, "thickness": 1},
        "text": [f"{row.trial}, {row.split} split, {plural(row.n_seeds, 'seed')}" for row in rows],
        "marker": {
            "color": look.colour,
            "size": 10,
            "line": {"width": 1.5, "color": look.colour},
            "symbol": [symbol if row.split == "report" else f"{symbol}-open" for row in rows],
        },
        "hovertemplate": "%{text}<br>%{y:.4f} at %{x:.3g}<extra>" + rows[0].method + "</extra>",
    }
