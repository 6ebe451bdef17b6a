"""Rows as text: a table for people, JSON and CSV with every key for programs, Markdown for a report."""

from __future__ import annotations

import csv
import io
import json

from kdbench.errors import InputError, did_you_mean
from kdbench.leaderboard.cells import cell
from kdbench.leaderboard.row import KEYS, Row
from kdbench.leaderboard.table import markdown, table

FORMATS = {
    "table": table,
    "markdown": markdown,
    "json": lambda rows: json.dumps([row.plain() for row in rows], indent=2),
    "csv": lambda rows: _csv(rows),
}


def render(rows: list[Row], form: str = "table") -> str:
    """The leaderboard as text, without a closing line break.

    Raises:
        InputError: an unknown format.
    """
    if form not in FORMATS:
        raise InputError(f"--format {form}: unknown; {did_you_mean(form, FORMATS)}")
    return FORMATS[form](rows)


def _csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, KEYS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in row.plain().items()} for row in rows)
    return out.getvalue().rstrip("\n")
