"""The leaderboard for people: one narrow table a task, in a terminal or in Markdown."""

from __future__ import annotations

import io
from itertools import groupby

from kdbench.leaderboard.configs import BASELINE
from kdbench.leaderboard.row import Row

WIDTH = 100
EMPTY = "no completed trials yet"
LEGEND = {
    "report": "report: measured on images that the search did not see",
    "search": "search: measured on the images that chose the trial, so it flatters",
}
NUMERIC = {"#", "seeds", "delta", "gap", "hours", "GiB", "M"}


def table(rows: list[Row]) -> str:
    """Plain text of at most 100 columns."""
    return "\n\n".join(_section(task, list(own)) for task, own in groupby(rows, lambda row: row.task)) or EMPTY


def markdown(rows: list[Row]) -> str:
    """The same table in Markdown, with the same lines below."""
    parts = []
    for task, group in groupby(rows, lambda row: row.task):
        own = list(group)
        header = _header(own)
        lines = [header, ["--:" if _numeric(name, own) else "---" for name in header], *_body(own)]
        text = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        parts.append(f"### {task}\n\n{text}\n\n" + "\n".join(f"* {note}" for note in _notes(own)))
    return "\n\n".join(parts) or EMPTY


def _section(task: str, rows: list[Row]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=False)
    for name in _header(rows):
        grid.add_column(name, justify="right" if _numeric(name, rows) else "left", overflow="fold")
    for line in _body(rows):
        grid.add_row(*line)
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False)
    console.print(grid)
    lines = [f"task {task}", *out.getvalue().splitlines(), *_notes(rows)]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _numeric(name: str, rows: list[Row]) -> bool:
    return name in NUMERIC or name == rows[0].metric


def _header(rows: list[Row]) -> list[str]:
    study = ["study"] if _several(rows) else []
    return [
        "#",
        "method",
        *study,
        "trial",
        rows[0].metric,
        "split",
        "seeds",
        "delta",
        "verdict",
        "gap",
        "hours",
        "recipe",
    ]


def _body(rows: list[Row]) -> list[list[str]]:
    best = _baseline(rows)
    lines = []
    for row in rows:
        plain = row.method == BASELINE
        lines.append(
            [
                str(row.rank),
                f"{row.method} *" if row in best else row.method,
                *([row.study] if _several(rows) else []),
                row.trial or "",
                _with_interval(row.mean, row.ci95, ""),
                row.split,
                str(row.n_seeds),
                "" if plain else _with_interval(row.delta, row.delta_ci95, "+"),
                "baseline" if row in best else row.verdict or "",
                "" if plain or row.gap_closed is None else f"{row.gap_closed:.0%}",
                "" if row.device_hours is None else f"{row.device_hours:.3g}",
                row.recipe or "",
            ]
        )
    return lines


def _notes(rows: list[Row]) -> list[str]:
    notes = []
    for row in _baseline(rows):
        where = f", study {row.study}" if _several(rows) else ""
        notes.append(f"baseline (*): {row.trial}{where}, {row.metric} {row.mean:.3f} on {row.split}, {_seeds(row)}")
    for split, mean in sorted({(row.split, row.teacher_mean) for row in rows if row.teacher_mean is not None}):
        notes.append(f"teacher: {rows[0].metric} {mean:.3f} on {split}")
    splits = sorted({row.split for row in rows})
    notes += [LEGEND[split] for split in splits]
    if len(splits) > 1:
        notes.append("figures of different splits are not comparable; each delta is to the baseline on its row's split")
    if any(row.verdict == "single" for row in rows):
        notes.append("single: one seed says nothing about the difference; more: kdbench search METHOD --seeds 3")
    return notes


def _baseline(rows: list[Row]) -> list[Row]:
    """The rows of plain training that others are compared with."""
    return [row for row in rows if row.method == BASELINE and row.delta == 0]


def _several(rows: list[Row]) -> bool:
    return len({row.study for row in rows}) > 1


def _seeds(row: Row) -> str:
    return "1 seed" if row.n_seeds == 1 else f"{row.n_seeds} seeds"


def _with_interval(value: float | None, half: float | None, sign: str) -> str:
    if value is None:
        return ""
    return f"{value:{sign}.3f}" if half is None else f"{value:{sign}.3f} ±{half:.3f}"
