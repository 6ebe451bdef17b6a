"""Who won, in a sentence, and the settings to paste."""

from __future__ import annotations

from dataclasses import dataclass

from kdbench.leaderboard.page.chart import plural
from kdbench.leaderboard.page.data import View
from kdbench.leaderboard.row import Row
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE


@dataclass(frozen=True)
class Settings:
    """The settings of a task's winner; `kdbench.outcome.winner` makes them.

    Attributes:
        text: a YAML file that `kdbench train` takes.
        command: the command line that trains it.
        note: whether training this text makes the recorded recipe, or what is to be minded.
    """

    task: str
    metric: str
    trial: str
    text: str
    command: str
    note: str


def winner(rows: list[Row]) -> Row | None:
    """The best row: of those on the report split, if there are any, because the search split flatters."""
    reported = [row for row in rows if row.split == "report"]
    return max(reported or rows, key=lambda row: metrics.merit(row.metric, row.mean), default=None)


def headline(view: View) -> str:
    """What the table comes to, in a sentence or two.

    Example:
        >>> headline(view)
        "defeat is best: mAP 0.347 ± 0.012 on the report split (3 seeds), 0.110 ± 0.023 above the baseline: better."
    """
    best = winner(view.rows)
    if best is None:
        return "No trial is completed yet."
    figure = f"{best.metric} {_pair(best.mean, best.ci95)} on the {best.split} split ({plural(best.n_seeds, 'seed')})"
    if best.method == BASELINE:
        return f"Plain training is best: {figure}. No method beat it."
    if best.delta is None:
        return f"{best.method} is best: {figure}. There is no baseline to compare it with."
    side = "above" if best.delta > 0 else "below"
    compared = f"{_pair(abs(best.delta), best.delta_ci95)} {side} the baseline"
    chance = "" if best.p_holm is None else f" (p = {best.p_holm:.2g}, Holm's correction)"
    return f"{best.method} is best: {figure}, {compared}: {VERDICTS[best.verdict or 'single']}{chance}."


VERDICTS = {
    "better": "better",
    "worse": "worse",
    "tie": "a tie, the difference may be chance",
    "single": "one seed proves nothing",
}


def _pair(value: float, half: float | None) -> str:
    return f"{value:.3f}" if half is None else f"{value:.3f} ± {half:.3f}"
