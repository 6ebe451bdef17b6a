"""What a search has found by what it has spent: the best figure so far over device-hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kdbench.leaderboard.configs import figure
from kdbench.leaderboard.page.chart import Chart, Section, label, layout, metric_title, shown
from kdbench.leaderboard.page.data import View
from kdbench.leaderboard.page.palette import Look
from kdbench.leaderboard.page.searched import FINAL
from kdbench.specs import metrics
from kdbench.tracking.reader import Run

COST = "cost/device_hours"
NOTE = (
    "Trials in the order in which they ended; the hours of every trial count, however it ended. "
    "The teacher's training and the repetitions with fresh seeds are not in it."
)


@dataclass(frozen=True)
class Path:
    """Where a search stood after each of its completed trials: hours spent until then, best figure, trial."""

    study: str
    method: str
    points: list[tuple[float, float, str]]


def metric_by_hours(view: View, looks: dict[str, Look]) -> Section:
    """One chart: a stair for each method and study."""
    section = Section(f"hours-{view.name}", f"{view.metric} against device-hours", NOTE)
    paths = [path for method in view.methods for study in view.studies if (path := best_so_far(view, study, method))]
    if not paths:
        section.gaps.append("no completed trial has a cost yet")
        return section
    several = len(view.studies) > 1
    data = [_trace(path, looks[path.method], several) for path in paths]
    drawn = layout(
        "device-hours spent so far (h)",
        f"best {metric_title(view.metric, 'search')}",
        xaxis={"rangemode": "tozero"},
    )
    ends = [f"{_name(p, several)} {shown(p.points[-1][1])} after {shown(p.points[-1][0])} h" for p in paths]
    alt = f"Best {view.metric} so far by device-hours spent: {'; '.join(ends)}."
    section.charts.append(Chart(f"hours-{view.name}", "", alt, {"data": data, "layout": drawn}))
    return section


def best_so_far(view: View, study: str, method: str) -> Path | None:
    """The path of one search; None where no completed trial tells what it cost."""
    own = [run for run in view.trials if (run.study, run.method) == (study, method) and run.stage != FINAL]
    spent, best = 0.0, None
    points = []
    for run in sorted(own, key=_ended):
        spent += run.metrics.get(COST, 0.0)
        value = figure(run, "search") if run.end == "completed" else None
        if value is None or COST not in run.metrics:
            continue
        best = value if best is None or metrics.worse(view.metric, best, value) else best
        points.append((spent, best, run.trial or ""))
    return Path(study, method, points) if points else None


def _ended(run: Run) -> tuple[float, str]:
    return run.end_time or run.start_time or 0.0, run.run_id


def _name(path: Path, several: bool) -> str:
    return f"{label(path.method)}, {path.study}" if several else label(path.method)


def _trace(path: Path, look: Look, several: bool) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": _name(path, several),
        "x": [hours for hours, _, _ in path.points],
        "y": [best for _, best, _ in path.points],
        "text": [trial for _, _, trial in path.points],
        "line": {"shape": "hv", "color": look.colour, "width": 2, "dash": look.dash},
        "marker": {"color": look.colour, "size": 8, "symbol": look.symbol},
        "hovertemplate": "after %{text}: best %{y:.4f}, %{x:.3g} h spent<extra></extra>",
    }
