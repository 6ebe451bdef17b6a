"""The page itself: sections, figures and texts put into the template."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kdbench._version import __version__
from kdbench.errors import InputError
from kdbench.leaderboard.page.chart import Section, plural
from kdbench.leaderboard.page.curves import learning_curves
from kdbench.leaderboard.page.data import Board, View
from kdbench.leaderboard.page.ends import ends
from kdbench.leaderboard.page.grid import grid
from kdbench.leaderboard.page.hours import metric_by_hours
from kdbench.leaderboard.page.importance import Importances, importance_bars
from kdbench.leaderboard.page.palette import Look, looks
from kdbench.leaderboard.page.parallel import parallel
from kdbench.leaderboard.page.pareto import pareto
from kdbench.leaderboard.page.response import response
from kdbench.leaderboard.page.winner import Settings, headline
from kdbench.leaderboard.table import LEGEND, shared_notes
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE

Picture = tuple[str, bytes]
"""A title, and the bytes of a PNG."""
HERE = Path(__file__).parent


def write(
    file: Path,
    board: Board,
    *,
    importance: Importances | None = None,
    settings: Collection[Settings] = (),
    pictures: Sequence[Picture] = (),
    now: datetime | None = None,
) -> None:
    """Write the page into a file; it appears whole or not at all.

    Args:
        importance: of the parameters, by study, method and metric.
        settings: of the winner of each task.
        pictures: shown with their titles.
        now: the time that the page tells; by default the clock's.

    Raises:
        InputError: the file cannot be written.

    Example:
        >>> write(Path("report.html"), gather("defeat-shapes"))
    """
    text = render(board, importance=importance, settings=settings, pictures=pictures, now=now)
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise InputError(f"-o {file}: cannot be written ({error.strerror}); give another file") from None
    finally:
        draft.unlink(missing_ok=True)


def render(
    board: Board,
    *,
    importance: Importances | None = None,
    settings: Collection[Settings] = (),
    pictures: Sequence[Picture] = (),
    now: datetime | None = None,
) -> str:
    """The page as text; see `write`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["slug"] = _slug
    own = looks(run.method or "" for run in board.trials)
    views = board.views()
    parts = [(view, headline(view), _sections(view, board, own, importance or {})) for view in views]
    figures = {_slug(chart.id): chart.figure for _, _, sections in parts for s in sections for chart in s.charts}
    return environment.get_template("page.html.j2").render(
        title=_title(board),
        about=_about(board, now or datetime.now(UTC)),
        version=__version__,
        grid=grid(board.rows),
        notes=_notes(board),
        parts=parts,
        settings=list(settings),
        pictures=[(title, f"data:image/png;base64,{base64.b64encode(png).decode()}") for title, png in pictures],
        figures=Markup(_safe_json(figures)),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        plotly=Markup(get_plotlyjs()),
    )


def _sections(view: View, board: Board, own: dict[str, Look], importance: Importances) -> list[Section]:
    shown = [run for run in view.trials if run.run_id in board.histories]
    left_out = len(view.trials) - len(shown) if board.without_curve else 0
    return [
        learning_curves(view, board.histories, own, left_out),
        metric_by_hours(view, own),
        pareto(view, own),
        response(view, own),
        parallel(view),
        importance_bars(view, importance, own),
        ends(view),
    ]


def _title(board: Board) -> str:
    methods = sorted({run.method or "" for run in board.trials} - {BASELINE}) or ["plain training"]
    tasks = sorted({run.task for run in board.trials})
    return f"{_listed(methods)} on {_listed(tasks)}" if tasks else "no runs"


def _listed(names: list[str], most: int = 4) -> str:
    kept = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return kept[0] if len(kept) == 1 else f"{', '.join(kept[:-1])} and {kept[-1]}"


def _about(board: Board, now: datetime) -> list[str]:
    studies = sorted({run.study or "" for run in board.trials})
    times = [time for run in board.trials for time in (run.start_time, run.end_time) if time is not None]
    lines = [f"{plural(len(board.trials), 'trial')} of {plural(len(studies), 'study')}: {_listed(studies, 12)}."]
    if times:
        lines.append(f"Trained from {_time(min(times))} to {_time(max(times))}.")
    return [*lines, f"Page written {now:%Y-%m-%d %H:%M} UTC."]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _notes(board: Board) -> list[str]:
    """How to read the table."""
    notes = [LEGEND[split] for split in sorted({row.split for row in board.rows})]
    tasks = {row.task: [other for other in board.rows if other.task == row.task] for row in board.rows}
    for task, rows in tasks.items():
        notes += [f"{task}: {note}" if len(tasks) > 1 else note for note in shared_notes(rows)]
    lower = sorted({row.metric for row in board.rows if metrics.mode(row.metric) == "min"})
    notes += [f"{metric}: lower is better, and a delta below 0 is a gain" for metric in lower]
    notes.append("± and the bars are 95 % intervals; a delta is to the baseline on the same split")
    if any(row.verdict == "single" for row in board.rows):
        notes.append("single: one seed says nothing about the difference")
    return notes


def _safe_json(data: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _slug(text: str) -> str:
    """A text as an element's id."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-")
