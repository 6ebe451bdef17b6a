"""The table of the page: every key of every row, two of a kind in one cell, what is empty everywhere left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdbench.leaderboard.page.chart import label
from kdbench.leaderboard.row import KEYS, Row
from kdbench.leaderboard.table import SHARED

COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "rank": ("#", ("rank",)),
    "method": ("method", ("method",)),
    "trial": ("first trial", ("trial",)),
    "mean": ("figure", ("mean", "ci95")),
    "verdict": ("verdict", ("verdict",)),
    "delta": ("delta to baseline", ("delta", "delta_ci95")),
    "split": ("split", ("split", "shared")),
    "n_seeds": ("seeds", ("n_seeds",)),
    "gap_closed": ("gap closed", ("gap_closed",)),
    "published": ("published", ("published",)),
    "published_delta": ("less published", ("published_delta", "published_inside")),
    "published_note": ("caveat of the published figure", ("published_note",)),
    "p_holm": ("p (Holm)", ("p_holm",)),
    "baseline_mean": ("baseline", ("baseline_mean",)),
    "teacher_mean": ("teacher", ("teacher_mean",)),
    "device_hours": ("hours of a run", ("device_hours",)),
    "search_device_hours": ("hours of the search", ("search_device_hours",)),
    "teacher_device_hours": ("hours of the teacher", ("teacher_device_hours",)),
    "peak_memory_gb": ("peak memory (GiB)", ("peak_memory_gb",)),
    "sec_per_iter": ("step (s)", ("sec_per_iter",)),
    "params_m": ("parameters (M)", ("params_m",)),
    "gflops": ("GFLOPs of an image", ("gflops",)),
}
"""Column -> heading and the keys that it shows; the keys that are not named come after these, one column each."""
LAST = ("std", "p_value", "published_id", "metric", "task", "study", "recipe", "teacher")
ON_PAPER = (
    *("rank", "method", "trial", "mean", "verdict", "delta", "split", "n_seeds", "gap_closed", "published", "p_holm"),
    *("device_hours", "search_device_hours"),
)
"""Columns that fit on a sheet; the others are on the screen only."""
FRACTIONS = ("mean", "ci95", "std", "baseline_mean", "teacher_mean", "published")
DIFFERENCES = ("delta", "delta_ci95", "published_delta")
MARKS = {"better": "▲ better", "tie": "= tie", "worse": "▼ worse", "single": "· single"}


@dataclass(frozen=True)
class Figure:
    """One value of a row: its key, its JSON for programs, its text for people."""

    key: str
    json: str
    text: str


@dataclass(frozen=True)
class Cell:
    """The figures in one cell, and what its column is sorted by: JSON of a number or a text, `null` last."""

    column: str
    figures: list[Figure]
    sort: str


@dataclass(frozen=True)
class Grid:
    """The whole table.

    Attributes:
        columns: name and heading.
        classes: of each column's cells, by its name: `number` stands right, `more` is left out on paper.
    """

    columns: list[tuple[str, str]]
    classes: dict[str, str]
    lines: list[list[Cell]]

    @property
    def left_out(self) -> list[str]:
        """Headings of the columns that are not printed."""
        return [heading for name, heading in self.columns if "more" in self.classes[name]]


def grid(rows: Sequence[Row]) -> Grid:
    """The table of the rows, as they come. The task stands in front where there are several, for each has its own ranks.

    Example:
        >>> [heading for _, heading in grid(rows).columns][:5]
        ['#', 'method', 'first trial', 'mAP', 'verdict']
    """
    plain = [row.plain() for row in rows]
    metrics = {row.metric for row in rows}
    known = {key for _, keys in COLUMNS.values() for key in keys}
    others = [key for key in KEYS if key not in known and key not in LAST]
    front = {"task": ("task", ("task",))} if len({row.task for row in rows}) > 1 else {}
    columns = {
        **front,
        **COLUMNS,
        **{key: (key.replace("_", " "), (key,)) for key in (*others, *LAST) if key in KEYS and key not in front},
    }
    used = {
        name: entry
        for name, entry in columns.items()
        if any(line.get(k) is not None for line in plain for k in entry[1])
    }
    if len(metrics) == 1 and "mean" in used:
        used["mean"] = (metrics.pop(), used["mean"][1])
    numeric = {name for name, (_, keys) in used.items() if any(_is_number(line[keys[0]]) for line in plain)}
    headings = [(name, heading) for name, (heading, _) in used.items()]
    classes = {
        name: " ".join(["number"] * (name in numeric) + ["more"] * (name not in (*ON_PAPER, *front)))
        for name, _ in headings
    }
    return Grid(headings, classes, [[_cell(name, keys, line) for name, (_, keys) in used.items()] for line in plain])


def _cell(name: str, keys: tuple[str, ...], line: dict[str, Any]) -> Cell:
    figures = [Figure(key, json.dumps(line[key]), _text(key, line)) for key in keys if line.get(key) is not None]
    return Cell(name, figures, json.dumps(line.get(keys[0])))


def _text(key: str, line: dict[str, Any]) -> str:
    value = line[key]
    if key == "verdict":
        return MARKS.get(value, str(value))
    if key == "method":
        return label(value)
    if key == "shared":
        return SHARED
    if key in DIFFERENCES:
        return f"±{value:.3f}" if key.endswith("ci95") else f"{value:+.3f}"
    if key in FRACTIONS and _is_number(value):
        return f"±{value:.3f}" if key == "ci95" else f"{value:.3f}"
    if key == "published_inside":
        return "inside" if value else "outside"
    if key == "gap_closed":
        return f"{value:.0%}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
