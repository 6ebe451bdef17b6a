"""The leaderboard for people: one narrow table a task, in a terminal or in Markdown."""

from __future__ import annotations

import io
import textwrap
from itertools import groupby

from kdbench.leaderboard.published import beside_published, published_notes
from kdbench.leaderboard.row import NO_TEACHER, Row
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE

WIDTH = 100
EMPTY = "no completed trials yet"
LEGEND = {
    "report": "report: measured on images that the search did not see",
    "search": "search: measured on the images that chose the trial, so it flatters",
}
SHARED = "!"
"""Stands beside the split of a figure that is not of unseen images."""
SPARE = ("hours", "recipe", "gap")
SPARE_BESIDE_PUBLISHED = ("trial", "seeds")
NARROWEST_STUDY = 16
NUMERIC = {"#", "seeds", "delta", "gap", "hours", "published"}


def table(rows: list[Row]) -> str:
    """Plain text of at most 100 columns."""
    return "\n\n".join(_section(task, list(own)) for task, own in groupby(rows, lambda row: row.task)) or EMPTY


def markdown(rows: list[Row]) -> str:
    """The same table in Markdown, with the same lines below."""
    parts = []
    for task, group in groupby(rows, lambda row: row.task):
        own = list(group)
        columns = _columns(own)
        rule = ["--:" if _numeric(name, own) else "---" for name in columns]
        lines = [list(columns), rule, *zip(*columns.values(), strict=True)]
        text = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        parts.append(f"### {task}\n\n{text}\n\n" + "\n".join(f"* {note}" for note in _notes(own)))
    return "\n\n".join(parts) or EMPTY


def _section(task: str, rows: list[Row]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    columns = _columns(rows)
    left_out = _fit(columns)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        right = "right" if _numeric(name, rows) else "left"
        grid.add_column(name, justify=right, overflow="fold", no_wrap=name != "study")  # type: ignore[arg-type]
    for line in zip(*columns.values(), strict=True):
        grid.add_row(*line)
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False)
    console.print(grid)
    notes = _notes(rows)
    if left_out:
        notes.append(f"left out for width: {', '.join(left_out)}; all is in --format csv")
    notes = [line for note in notes for line in textwrap.wrap(note, WIDTH, subsequent_indent="  ")]
    lines = [f"task {task}", *out.getvalue().splitlines(), *notes]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _fit(columns: dict[str, list[str]]) -> list[str]:
    """Take out what is least needed until the table fits; the names of what is gone. A study's name can be folded."""

    def width() -> int:
        widths = {name: max(len(cell) for cell in [name, *cells]) for name, cells in columns.items()}
        if "study" in widths:
            widths["study"] = min(widths["study"], NARROWEST_STUDY)
        return sum(widths.values()) + 2 * len(widths)

    gone: list[str] = []
    for name in SPARE + (SPARE_BESIDE_PUBLISHED if "published" in columns else ()):
        if width() > WIDTH:
            del columns[name]
            gone.append(name)
    return gone


def _numeric(name: str, rows: list[Row]) -> bool:
    return name in NUMERIC or name == rows[0].metric


def _columns(rows: list[Row]) -> dict[str, list[str]]:
    """The cells by column."""
    best = _baseline(rows)
    plain = [row.method == BASELINE for row in rows]
    columns: dict[str, list[str]] = {
        "#": [str(row.rank) for row in rows],
        "method": [f"{row.method} *" if row in best else row.method for row in rows],
        "study": [row.study for row in rows],
        "trial": [row.trial or "" for row in rows],
        rows[0].metric: [_with_interval(row.mean, row.ci95, "") for row in rows],
        "split": [f"{row.split} {SHARED}" if row.shared else row.split for row in rows],
        "seeds": [str(row.n_seeds) for row in rows],
        "delta": [
            "" if own else _with_interval(r.delta, r.delta_ci95, "+") for r, own in zip(rows, plain, strict=True)
        ],
        "verdict": ["baseline" if row in best else row.verdict or "" for row in rows],
        "gap": [
            "" if own or r.gap_closed is None else f"{r.gap_closed:.0%}" for r, own in zip(rows, plain, strict=True)
        ],
        "published": [beside_published(row) for row in rows],
        "hours": ["" if row.device_hours is None else f"{row.device_hours:.3g}" for row in rows],
        "recipe": [row.recipe or "" for row in rows],
    }
    if not _several(rows):
        del columns["study"]
    if not any(row.published_id for row in rows):
        del columns["published"]
    return columns


def _notes(rows: list[Row]) -> list[str]:
    notes = []
    if metrics.mode(rows[0].metric) == "min":
        notes.append(f"{rows[0].metric}: lower is better, and a delta below 0 is a gain")
    compared = {(row.study, row.split, row.baseline_mean) for row in rows if row.baseline_mean is not None}
    for study, split, mean in sorted(compared):
        of = f" of {study}" if _several(rows) else ""
        notes.append(f"baseline (*){of}: {rows[0].metric} {mean:.3f} on {split}")
    for split, mean in sorted({(row.split, row.teacher_mean) for row in rows if row.teacher_mean is not None}):
        notes.append(f"teacher: {rows[0].metric} {mean:.3f} on {split}")
    free = sorted({row.method for row in rows if row.teacher == NO_TEACHER and row.method != BASELINE})
    if free:
        notes.append(f"trained without a teacher: {', '.join(free)}")
    notes += published_notes(rows)
    splits = sorted({row.split for row in rows})
    notes += [LEGEND[split] for split in splits]
    if len(splits) > 1:
        notes.append("figures of different splits are not comparable; each delta is to the baseline on its row's split")
    notes += shared_notes(rows)
    if any(row.verdict == "single" for row in rows):
        notes.append("single: one seed says nothing about the difference; more: kdbench search METHOD --seeds 3")
    if any(row.p_holm != row.p_value for row in rows):
        notes.append("verdicts: several rows share a baseline, so p is corrected (Holm); a delta's ± is its own alone")
    return notes


def shared_notes(rows: list[Row]) -> list[str]:
    """What the mark beside a split means, a line for each split that has one; for the rows of one task."""
    notes = []
    for split in sorted({row.split for row in rows if row.shared}):
        count = max(row.shared or 0 for row in rows if row.split == split)
        which = f"1 image of the {split} split is" if count == 1 else f"{count} images of the {split} split are"
        notes.append(f"{SHARED} {which} in an earlier split too: not of unseen images")
    return notes


def _baseline(rows: list[Row]) -> list[Row]:
    """The rows of plain training that others are compared with."""
    return [row for row in rows if row.method == BASELINE and row.delta == 0]


def _several(rows: list[Row]) -> bool:
    return len({row.study for row in rows}) > 1


def _with_interval(value: float | None, half: float | None, sign: str) -> str:
    if value is None:
        return ""
    return f"{value:{sign}.3f}" if half is None else f"{value:{sign}.3f} ±{half:.3f}"
