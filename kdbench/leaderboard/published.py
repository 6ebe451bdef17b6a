"""What a row's published counterpart says beside it."""

from __future__ import annotations

from typing import Any

from kdbench.leaderboard.configs import Config
from kdbench.leaderboard.costs import claim_of
from kdbench.leaderboard.row import Row
from kdbench.leaderboard.statistics import Summary
from kdbench.specs.published import Published, find_cost_claim, find_published
from kdbench.specs.study import BASELINE

NOTHING: dict[str, Any] = {
    "published": None,
    "published_id": None,
    "published_delta": None,
    "published_inside": None,
    "published_note": None,
}


def beside(config: Config, summary: Summary) -> dict[str, Any]:
    """The keys `published...` of a configuration's row, by the tag of its earliest run that has one.

    Example:
        >>> beside(config, summarize([0.812, 0.808, 0.815]))["published_id"]
        'defeat/voc-05'
    """
    tagged = [run for run in config.runs.values() if run.published]
    if not tagged:
        return NOTHING
    key = min(tagged, key=lambda run: (run.start_time or 0.0, run.run_id)).published or ""
    claim = find_cost_claim(key)
    if claim is not None:
        return {**NOTHING, "published_id": key, "published_note": f"a claim on cost: {claim.claim}"}
    row = find_published(key)
    if row is None:
        return {**NOTHING, "published_id": key, "published_note": f"no published row {key} comes with this kdbench"}
    figure = figure_of(row, config.method, config.metric)
    if figure is None:
        other = "" if row.figure is None else f", its figure is {row.metric}"
        gap = f"the source gives no {config.metric}{other}"
        return {**NOTHING, "published_id": key, "published_note": "; ".join(x for x in (gap, row.note) if x)}
    return {
        "published": figure,
        "published_id": key,
        "published_delta": summary.mean - figure,
        "published_inside": None if summary.ci95 is None else abs(summary.mean - figure) <= summary.ci95,
        "published_note": row.note,
    }


def figure_of(row: Published, method: str, metric: str) -> float | None:
    """A published row's figure of a metric; for plain training, that of the student without distillation."""
    plain = method == BASELINE and row.role == "distilled"
    return (row.student_figures if plain else row.figures).get(metric)


def beside_published(row: Row) -> str:
    """The cell of a table: the published figure, the difference to it, and whether it is in the row's interval."""
    if row.published is None or row.published_delta is None:
        return "?" if row.published_id and row.published_extra_saved is None else ""
    where = {True: " in", False: " out", None: ""}[row.published_inside]
    return f"{row.published:.3f} {row.published_delta:+.3f}{where}"


def published_notes(rows: list[Row]) -> list[str]:
    """The lines below a table: how to read the column, where its figures are from, and what speaks against them."""
    tagged = [row for row in rows if row.published_id and claim_of(row) is None]
    if not tagged:
        return []
    notes = ["published: the printed figure, the mean less it, and in or out of the mean's interval"]
    printed: dict[str, list[str]] = {}
    doubts: dict[str, None] = {}
    for row in tagged:
        key = row.published_id or ""
        found = find_published(key)
        if found is not None:
            printed.setdefault(f"({found.confidence}): {found.source}", []).append(key)
        # What the source is worth is said with it already; what is left is the caveat, or why there is no figure.
        doubt = found.caveat if found is not None and row.published is not None else row.published_note
        if doubt:
            doubts[f"{key}: {doubt}"] = None
    notes += [f"source of {', '.join(dict.fromkeys(keys))} {source}" for source, keys in printed.items()]
    return notes + list(doubts)
