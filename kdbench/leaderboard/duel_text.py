"""A comparison of two sides as text: for people, for a report, for programs."""

from __future__ import annotations

import csv
import io
import json
import textwrap

from kdbench.leaderboard.cells import cell
from kdbench.leaderboard.compare import COSTS, Duel, Side
from kdbench.leaderboard.statistics import summarize

WIDTH = 100


def render_duel(duel: Duel, form: str = "table") -> str:
    """The comparison in one of the forms table, markdown, json, csv."""
    if form == "json":
        return json.dumps(duel.plain(), indent=2)
    lines = _lines(duel)
    if form == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(
            [cell(one) for one in line] for line in [["", duel.a.asked, duel.b.asked], *lines]
        )
        return out.getvalue().rstrip("\n")
    text = _markdown(duel, lines) if form == "markdown" else _table(duel, lines)
    return f"{text}\n{_sentence(duel)}"


def _lines(duel: Duel) -> list[list[str]]:
    metric, split = duel.a.config.metric, duel.a.config.split
    sides = (duel.a, duel.b)
    lines = [
        ["trial", *(side.shown for side in sides)],
        ["seeds", *(str(len(side.config.runs)) for side in sides)],
        [f"{metric} on {split}", *(_figure(side) for side in sides)],
    ]
    for name, key in COSTS.items():
        values = [side.plain()[key.replace("cost/", "")] for side in sides]
        if any(value is not None for value in values):
            lines.append([name, *("" if value is None else f"{value:.3g}" for value in values)])
    return lines + [[key, one, two] for key, one, two in duel.settings]


def _figure(side: Side) -> str:
    summary = summarize(list(side.config.values.values()))
    return f"{summary.mean:.3f}" if summary.ci95 is None else f"{summary.mean:.3f} ±{summary.ci95:.3f}"


def _sentence(duel: Duel) -> str:
    result = duel.result
    interval = "" if result.ci95 is None else f" ±{result.ci95:.3f} (95 %, p = {result.p_value:.3g})"
    flatters = "; measured on the images that chose them, so both flatter" if duel.a.config.split == "search" else ""
    return textwrap.fill(f"difference: {result.delta:+.3f}{interval}: {duel.verdict}{flatters}", WIDTH)


def _table(duel: Duel, lines: list[list[str]]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(f"task {duel.a.config.task}", no_wrap=True)
    for side in (duel.a, duel.b):
        grid.add_column(side.asked, overflow="fold")
    for line in lines:
        grid.add_row(*line)
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False).print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines() if line.strip())


def _markdown(duel: Duel, lines: list[list[str]]) -> str:
    head = [f"task {duel.a.config.task}", duel.a.asked, duel.b.asked]
    rows = [head, ["---"] * 3, *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"
