"""Hyperparameter importance: bars of the shares that Optuna worked out. They are handed in: only search/ knows Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdbench.leaderboard.page.chart import Chart, Section, layout, plural
from kdbench.leaderboard.page.data import View
from kdbench.leaderboard.page.palette import Look
from kdbench.leaderboard.page.searched import Searched, reasons, searches

NOTE = (
    "The share of the metric's variance among the trials that each parameter explains (Optuna's fANOVA). "
    "From few trials it is a rough guess."
)


@dataclass(frozen=True)
class Importance:
    """The importance of what one search varied.

    Attributes:
        shares: parameter -> its share, all together 1; the largest first.
        trials: completed ones that it rests on.
        reason: why there are no shares; None where there are.
    """

    shares: dict[str, float] = field(default_factory=dict)
    trials: int = 0
    reason: str | None = None


Importances = Mapping[tuple[str, str, str], Importance]
"""By study, method and metric."""


def importance_bars(view: View, known: Importances, looks: dict[str, Look]) -> Section:
    """A chart for each search that has shares, and a line for each that has none."""
    section = Section(f"importance-{view.name}", "Importance of the parameters", NOTE)
    left_out: list[tuple[Searched, str]] = []
    for search in searches(view.trials):
        found = known.get((search.study, search.method, search.metric))
        if found is None:
            left_out.append((search, "not computed for this page"))
        elif found.reason is not None:
            left_out.append((search, found.reason))
        else:
            title = f"{search.method} ({search.study})" if len(view.studies) > 1 else search.method
            name = f"importance-{view.name}-{search.study}-{search.method}"
            section.charts.append(_chart(name, title, found, looks[search.method]))
    section.gaps.extend(reasons(left_out))
    return section


def _chart(name: str, title: str, found: Importance, look: Look) -> Chart:
    names, shares = list(found.shares), list(found.shares.values())
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": shares[::-1],
        "y": names[::-1],
        "text": [f"{share:.0%}" for share in shares[::-1]],
        "textposition": "auto",
        "marker": {"color": look.colour},
        "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
    }
    height = 110 + 34 * len(names)
    axis = {"range": [0, 1], "tickformat": ".0%"}
    drawn = layout("share of the variance (%)", "", height=height, xaxis=axis, showlegend=False, bargap=0.35)
    told = ", ".join(f"{key} {share:.0%}" for key, share in found.shares.items())
    alt = f"Importance of the parameters of {title}, from {plural(found.trials, 'trial')}: {told}."
    return Chart(
        name, f"{title}, {plural(found.trials, 'trial')}", alt, {"data": [bars], "layout": drawn}, height, False
    )
