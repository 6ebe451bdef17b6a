"""Figures, tags and a note for the run of a study or suite itself, so that MLflow's own UI sorts and compares them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kdbench.leaderboard.statistics import compare, summarize
from kdbench.search.board import Board
from kdbench.search.suite_board import SuiteBoard
from kdbench.search.trials import TrialState
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE

NOTE = "mlflow.note.content"


@dataclass
class StudySummary:
    """What the parent run of a study says."""

    figures: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Entry:
    """A recipe with its figures by seed."""

    name: str
    values: dict[int, float]

    @property
    def mean(self) -> float:
        return summarize(list(self.values.values())).mean

    @property
    def text(self) -> str:
        summary = summarize(list(self.values.values()))
        interval = "" if summary.ci95 is None else f" ± {summary.ci95:.3f}"
        return f"{self.name} {summary.mean:.3f}{interval} ({summary.n} seed{'s' if summary.n > 1 else ''})"


def study_summary(board: Board) -> StudySummary:
    """Of a search: its best recipe against the best baseline, by the finalists once their race is over.

    Units: the metric and its differences in 0..1, costs in device-hours.
    """
    plan, metric = board.plan, board.plan.task.metric
    finals = _finalists(board)
    reported = all(any(base == (name == BASELINE) for name in finals) for base in (True, not plan.arms))
    found = finals if reported else {name: entry for name in plan.names() if (entry := _searched(board, name))}
    base = found.get(BASELINE)
    others = [entry for name, entry in found.items() if name != BASELINE]
    best = max(others, key=lambda entry: metrics.merit(metric, entry.mean), default=None if plan.arms else base)
    made = _against(best, base, metric, "report" if reported else "search")
    _add_counts(made, board.trials.values())
    made.figures |= {f"arms/dropped_in_round/{drop.arm}": float(drop.round) for drop in board.rounds.drops.values()}
    if board.rounds.drops:
        made.tags["kdbench.dropped"] = "; ".join(str(drop) for drop in board.rounds.drops.values())
    if board.extensions:
        made.tags["kdbench.extended"] = "; ".join(_extension(changes) for changes in board.extensions)
    made.tags[NOTE] = _note(board.headline(), made, board.trials.values())
    return made


def _extension(changes: dict[str, Any]) -> str:
    """An extension in words: an arm by its name."""
    named = {**changes, **({"arms": [arm["name"] for arm in changes["arms"]]} if "arms" in changes else {})}
    return ", ".join(f"{key}={value}" for key, value in named.items())


def suite_summary(board: SuiteBoard, task: str) -> StudySummary:
    """Of a suite on one of its tasks: its best row against its best row of plain training, on the report split."""
    own = [trial for trial in board.trials.values() if trial.recipe.task == task]
    by_row: dict[str, dict[int, float]] = {}
    for trial in own:
        figure = trial.summary.get(f"report/{trial.recipe.metric}")
        if trial.stage == "suite" and trial.end == "completed" and figure is not None:
            by_row.setdefault(board.row_of(trial).id, {})[trial.recipe.seed] = figure
    if not by_row:
        made = StudySummary()
    else:
        rows = {row.id: row.recipe for row in board.plan.rows}
        metric = next(rows[name].metric for name in by_row)

        def best(plain: bool) -> _Entry | None:
            entries = [_Entry(n, v) for n, v in by_row.items() if (rows[n].method.name == BASELINE) == plain]
            return max(entries, key=lambda entry: metrics.merit(metric, entry.mean), default=None)

        made = _against(best(False) or best(True), best(True), metric, "report")
    _add_counts(made, own)
    made.figures["trials/reused"] = float(sum(1 for trial in own if trial.reused))
    made.tags[NOTE] = _note(f"{board.headline()}, on {task}", made, own)
    return made


def _finalists(board: Board) -> dict[str, _Entry]:
    """By arm; nobody as long as the race goes on."""
    if board.plan.seeds < 2 or board.finals.standing().going:
        return {}
    found = {}
    for best in board.finals.finalists():
        values = {seed: value for seed, value in board.finals.figures(best).items() if value is not None}
        if values:
            found[best.arm] = _Entry(best.id, values)
    return found


def _searched(board: Board, arm: str) -> _Entry | None:
    best = board.best(arm)
    return None if best is None or best.best is None else _Entry(best.id, {best.recipe.seed: best.best})


def _against(best: _Entry | None, base: _Entry | None, metric: str, split: str) -> StudySummary:
    made = StudySummary(tags={"kdbench.metric": metric, "kdbench.split": split})
    if best is not None:
        made.figures |= {"best/value": best.mean, f"best/{metric}": best.mean, "seeds": float(len(best.values))}
        made.tags["kdbench.best_trial"] = best.name
    if base is not None:
        made.figures |= {"baseline/value": base.mean, f"baseline/{metric}": base.mean}
    if best is not None and base is not None:
        result = compare(best.values, base.values, metrics.mode(metric))
        made.figures["delta"] = result.delta
        if result.ci95 is not None:
            made.figures["delta_ci95"] = result.ci95
        made.tags["kdbench.verdict"] = result.verdict
        made.tags["kdbench.result"] = f"{best.text} against {base.text}: {result.delta:+.3f}, {result.verdict}"
    return made


def _add_counts(made: StudySummary, trials: Iterable[TrialState]) -> None:
    """Trials by end state, and what they cost; what was taken over from elsewhere cost nothing here."""
    trials = list(trials)
    ends = Counter(trial.end for trial in trials if trial.end)
    made.figures["trials"] = float(len(trials))
    made.figures |= {f"trials/{end}": float(count) for end, count in ends.items()}
    hours = {"teacher": 0.0, "search": 0.0}
    for trial in trials:
        if not trial.reused:
            kind = "teacher" if trial.stage == "teacher" else "search"
            hours[kind] += trial.summary.get("cost/device_hours", 0.0)
    made.figures |= {"cost/device_hours": sum(hours.values()), "cost/search_device_hours": hours["search"]}
    if any(trial.stage == "teacher" and not trial.given for trial in trials):
        made.figures["cost/teacher_device_hours"] = hours["teacher"]


def _note(title: str, made: StudySummary, trials: Iterable[TrialState]) -> str:
    """Markdown, shown on the run's page."""
    ends = Counter(trial.end or "running" for trial in trials)
    lines = [f"**{title}**", ""]
    if "kdbench.result" in made.tags:
        metric, split = made.tags["kdbench.metric"], made.tags["kdbench.split"]
        lines += [f"{metric} on the {split} split: {made.tags['kdbench.result']}.", ""]
    lines.append("Trials: " + ", ".join(f"{count} {end}" for end, count in ends.items()) + ".")
    hours = made.figures["cost/device_hours"]
    lines += ["", f"Cost: {hours:.3g} device-hours. The page with table and charts is the artifact `report.html`."]
    return "\n".join(lines)
