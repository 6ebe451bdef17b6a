"""How the trials ended, and why those that are not completed did not get there."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kdbench.leaderboard.page.chart import Chart, Section, layout, plural
from kdbench.leaderboard.page.data import View
from kdbench.leaderboard.page.palette import ENDS

MOST_LINES = 100
LONGEST = 300
"""Characters of a reason: an error's text can be long, and is an artifact of its run."""
NOTE = "The figures of trials that are not completed are in no row of the table."


def ends(view: View) -> Section:
    """A bar of end states for each method, and a line for each trial that is not completed."""
    section = Section(f"ends-{view.name}", "Trials by end state", NOTE, head=("trial", "study", "end", "reason"))
    counts = {method: Counter(_end(run.end) for run in view.trials if run.method == method) for method in view.methods}
    if not view.trials:
        section.gaps.append("no trials yet")
        return section
    states = [state for state in ENDS if any(count[state] for count in counts.values())]
    height = 120 + 40 * len(counts)
    data = [_bars(state, counts) for state in states]
    most = max(sum(count.values()) for count in counts.values())
    axis = {"rangemode": "tozero", "dtick": max(1, most // 8)}
    drawn = layout(
        "trials",
        "",
        height=height,
        xaxis=axis,
        yaxis={"autorange": "reversed"},
        barmode="stack",
        bargap=0.35,
        showlegend=True,
    )
    drawn["legend"] = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    told = [f"{method}: {', '.join(f'{n} {state}' for state, n in count.items())}" for method, count in counts.items()]
    alt = f"{plural(len(view.trials), 'trial')} by end state. {'; '.join(told)}."
    section.charts.append(Chart(f"ends-{view.name}", "", alt, {"data": data, "layout": drawn}, height))
    rest = [run for run in view.trials if run.end != "completed"]
    section.lines.extend(
        (run.trial or "", run.study or "", _end(run.end), _short(run.reason)) for run in rest[:MOST_LINES]
    )
    if len(rest) > MOST_LINES:
        section.gaps.append(f"{len(rest) - MOST_LINES} more trials are not completed; MLflow has them all")
    if not rest:
        section.gaps.append("every trial is completed")
    return section


def _end(end: str | None) -> str:
    return end or "not ended"


def _short(reason: str | None) -> str:
    text = " ".join((reason or "").split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _bars(state: str, counts: dict[str, Counter[str]]) -> dict[str, Any]:
    colour, pattern = ENDS[state]
    return {
        "type": "bar",
        "orientation": "h",
        "name": state,
        "y": list(counts),
        "x": [count[state] for count in counts.values()],
        "marker": {"color": colour, "pattern": {"shape": pattern}},
        "hovertemplate": "%{y}: %{x} " + state + "<extra></extra>",
    }
