"""Rendering rows: a table for the terminal, JSON, CSV and Markdown for everything else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from itertools import groupby

from kdbench.leaderboard.rows import BASELINE, KEYS, Row

SHOWN = ("rank", "method", "trial", "mean", "seeds", "delta", "verdict", "gap", "hours", "s/iter", "recipe")
RIGHT = {"rank", "mean", "seeds", "delta", "gap", "hours", "s/iter"}


def render(rows: list[Row], form: str) -> str:
    """The rows as `table`, `json`, `csv` or `markdown`."""
    renderers: dict[str, Callable[[list[Row]], str]] = {
        "table": table,
        "json": as_json,
        "csv": as_csv,
        "markdown": markdown,
    }
    return renderers[form](rows)


def as_json(rows: list[Row]) -> str:
    return json.dumps([row.plain() for row in rows], indent=2)


def as_csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, KEYS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.plain() for row in rows)
    return out.getvalue().rstrip("\n")


def markdown(rows: list[Row]) -> str:
    """A table for each task and split."""
    parts = []
    for title, members in _sections(rows):
        lines = [f"**{title}**", "", "| " + " | ".join(SHOWN) + " |"]
        lines.append("|" + "|".join(" ---: " if name in RIGHT else " --- " for name in SHOWN) + "|")
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in members]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) or "no completed runs"


def table(rows: list[Row]) -> str:
    """For the terminal: 100 columns wide at most."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    console = Console(file=out, width=110, highlight=False)
    for title, members in _sections(rows):
        shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for name in SHOWN:
            shown.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=True)
        for row in members:
            shown.add_row(*_cells(row))
        console.print(shown)
    if not rows:
        return "no completed runs"
    if any(row.verdict == "single" for row in rows):
        console.print("single: one seed proves nothing; search with --seeds 3 to compare over seeds")
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def _sections(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    sections = []
    for (task, split, metric), members in groupby(rows, key=lambda row: (row.task, row.split, row.metric)):
        listed = list(members)
        teacher = next((row.teacher_mean for row in listed if row.teacher_mean is not None), None)
        known = f", teacher {teacher:.3f}" if teacher is not None else ""
        note = "looked at by the search" if split == "search" else "looked at by finalists only"
        sections.append((f"{task}: {metric} on the {split} split ({note}){known}", listed))
    return sections


def _cells(row: Row) -> list[str]:
    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    interval = f" ±{row.ci95:.3f}" if row.ci95 is not None else ""
    gap = f" ±{row.delta_ci95:.3f}" if row.delta_ci95 is not None else ""
    return [
        str(row.rank),
        f"{row.method} (baseline)" if row.method == BASELINE else row.method,
        row.trial or "",
        f"{row.mean:.3f}{interval}",
        str(row.n_seeds),
        f"{number(row.delta, '+.3f')}{gap}",
        row.verdict or "",
        number(row.gap_closed, ".0%"),
        number(row.device_hours, ".3f"),
        number(row.sec_per_iter, ".3f"),
        row.recipe or "",
    ]
