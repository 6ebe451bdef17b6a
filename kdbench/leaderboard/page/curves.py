"""Learning curves: the metric on the search split, epoch by epoch, a line for each trial."""

from __future__ import annotations

from typing import Any

from kdbench.leaderboard.configs import figure
from kdbench.leaderboard.page.chart import Chart, Section, label, layout, metric_title, plural, shown
from kdbench.leaderboard.page.data import History, View
from kdbench.leaderboard.page.palette import Look
from kdbench.specs import metrics
from kdbench.tracking.reader import Run


def learning_curves(view: View, histories: dict[str, History], looks: dict[str, Look], left_out: int = 0) -> Section:
    """One chart: a colour for each method, the baseline grey, the teachers' best as level lines."""
    section = Section(f"curves-{view.name}", "Learning curves")
    known = {method: _known(view, method, histories) for method in view.methods}
    if not any(known.values()):
        section.gaps.append("no trial has reported an epoch yet")
        return section
    if left_out:
        section.gaps.append(f"{plural(left_out, 'trial')} left out: the page shows the best of each method")
    data = [_trace(method, runs, histories, looks[method]) for method, runs in known.items() if runs]
    levels = {level for run in view.teachers if (level := figure(run, "search")) is not None}
    last = max(epoch for points in histories.values() for epoch, _ in points)
    drawn = layout(
        "epoch",
        metric_title(view.metric, "search"),
        height=420,
        xaxis={"rangemode": "tozero", "dtick": max(1, last // 10)},
        yaxis={"rangemode": "tozero"},
        shapes=[_line(level) for level in sorted(levels)],
        annotations=[_label(level) for level in sorted(levels)],
    )
    alt = _alt(view, known, histories)
    section.charts.append(Chart(f"curves-{view.name}", "", alt, {"data": data, "layout": drawn}, 420))
    return section


def _known(view: View, method: str, histories: dict[str, History]) -> list[Run]:
    return [run for run in view.trials if run.method == method and histories.get(run.run_id)]


def _trace(method: str, runs: list[Run], histories: dict[str, History], look: Look) -> dict[str, Any]:
    x: list[int | None] = []
    y: list[float | None] = []
    names: list[str] = []
    for run in runs:
        points = histories[run.run_id]
        x += [*(epoch for epoch, _ in points), None]
        y += [*(value for _, value in points), None]
        names += [f"{run.trial}, seed {run.seed}"] * (len(points) + 1)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(method),
        "x": x,
        "y": y,
        "text": names,
        "connectgaps": False,
        "opacity": 0.8,
        "line": {"color": look.colour, "width": 1.6, "dash": look.dash},
        "marker": {"color": look.colour, "size": 5, "symbol": look.symbol},
        "hovertemplate": "%{text}<br>epoch %{x}: %{y:.4f}<extra></extra>",
    }


def _line(level: float) -> dict[str, Any]:
    line = {"dash": "dot", "width": 1.5, "color": "#808080"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level, "line": line}


def _label(level: float) -> dict[str, Any]:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "y": level, "yanchor": "bottom"}
    return {"text": f"teacher {level:.3f}", "showarrow": False, **place}


def _alt(view: View, known: dict[str, list[Run]], histories: dict[str, History]) -> str:
    parts = []
    for method, runs in known.items():
        best = metrics.best(view.metric, (value for run in runs for _, value in histories[run.run_id]))
        if best is not None:
            parts.append(f"{method}: {plural(len(runs), 'trial')}, best {shown(best)}")
    return f"{view.metric} on the search split by epoch. {'; '.join(parts)}."
