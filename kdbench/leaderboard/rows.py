"""Rows of the leaderboard: one configuration of one method in one study, over its seeds, against its baseline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import ConfigDict

from kdbench.leaderboard.statistics import difference, summarize
from kdbench.specs.base import Spec

BASELINE = "none"


class RunLike(Protocol):
    """What a row needs of a run; `kdbench.tracking.reader.Run` has it."""

    kind: str
    study: Any
    task: str
    method: Any
    trial: Any
    recipe: Any
    config: Any
    seed: Any
    teacher: Any
    stage: Any
    end: Any
    params: dict[str, str]
    metrics: dict[str, float]


class Row(Spec):
    """A row; keys and order are those of JSON and CSV. Null where unknown.

    Attributes:
        metric: which figure was measured, e.g. mAP (0..1); `split` says on which split.
        ci95, delta_ci95: half-widths of 95 % intervals.
        device_hours: mean of a run; search_device_hours: of all trials of the method in its study.
    """

    model_config = ConfigDict(frozen=False)

    rank: int = 0
    task: str
    method: str
    study: str | None
    trial: str | None
    recipe: str | None
    metric: str
    n_seeds: int
    mean: float
    std: float | None = None
    ci95: float | None = None
    baseline_mean: float | None = None
    delta: float | None = None
    delta_ci95: float | None = None
    verdict: str | None = None
    teacher_mean: float | None = None
    gap_closed: float | None = None
    device_hours: float | None = None
    search_device_hours: float | None = None
    peak_memory_gb: float | None = None
    sec_per_iter: float | None = None
    params_m: float | None = None
    published: float | None = None
    split: str = "search"


KEYS = list(Row.model_fields)


def build_rows(runs: Sequence[RunLike]) -> list[Row]:
    """Rows of all completed trials, ranked by mean within a task; measured on the report split where finalists were.

    A configuration that was trained again with fresh seeds has two rows: what the search saw of it, and what the
    finalists measured. They are never mixed: the search's own figure is the best of many, and so too good.
    """
    costs: dict[tuple[Any, ...], float] = defaultdict(float)
    groups: dict[tuple[Any, ...], list[RunLike]] = defaultdict(list)
    teachers = {run.teacher: run for run in runs if run.kind == "teacher" and run.end == "completed"}
    for run in runs:
        if run.kind != "trial":
            continue
        costs[run.task, run.study, run.method] += run.metrics.get("cost/device_hours", 0.0)
        if run.end == "completed" and _value(run) is not None:
            groups[run.task, run.study, run.method, _split(run), run.config].append(run)
    rows: dict[tuple[Any, ...], Row] = {}
    for key, members in groups.items():
        rows[key] = _row(members, costs[key[:3]])
    for key, row in rows.items():
        _compare(key, row, rows, groups, teachers)
    return _ranked(list(rows.values()))


def _row(members: list[RunLike], search_cost: float) -> Row:
    best = max(members, key=lambda run: _value(run) or 0.0)
    summary = summarize([value for run in members if (value := _value(run)) is not None])
    return Row(
        task=best.task,
        method=best.method or "",
        study=best.study,
        trial=best.trial,
        recipe=best.recipe,
        metric=_metric(best),
        n_seeds=summary.n,
        mean=summary.mean,
        std=summary.std,
        ci95=summary.ci95,
        device_hours=_mean(members, "cost/device_hours"),
        search_device_hours=search_cost or None,
        peak_memory_gb=max((run.metrics.get("cost/peak_memory_gb", 0.0) for run in members), default=0.0) or None,
        sec_per_iter=_mean(members, "sec_per_iter"),
        params_m=best.metrics.get("cost/params_m"),
        split=_split(best),
    )


def _compare(
    key: tuple[Any, ...],
    row: Row,
    rows: dict[tuple[Any, ...], Row],
    groups: dict[tuple[Any, ...], list[RunLike]],
    teachers: dict[Any, RunLike],
) -> None:
    """Against the best baseline on the same split: of the same study, else of the same task."""
    task, study, _, split, _ = key
    baselines = [k for k in rows if k[0] == task and k[2] == BASELINE and k[3] == split]
    own = [k for k in baselines if k[1] == study]
    members = groups[key]
    # The baseline has no teacher of its own; its study's other trials name the one that it is measured against.
    teacher = teachers.get(next((run.teacher for run in members if run.teacher), None))
    if teacher is not None:
        row.teacher_mean = teacher.metrics.get(f"{'report' if split == 'report' else 'best'}/{row.metric}")
    if not baselines:
        return
    base_key = max(own or baselines, key=lambda k: rows[k].mean)
    row.baseline_mean = rows[base_key].mean
    if row.teacher_mean is not None and row.teacher_mean > row.baseline_mean and row.method != BASELINE:
        row.gap_closed = (row.mean - row.baseline_mean) / (row.teacher_mean - row.baseline_mean)
    if row.method == BASELINE:
        return
    row.delta = row.mean - row.baseline_mean
    row.delta_ci95, row.verdict = difference(_by_seed(members), _by_seed(groups[base_key]))


def _ranked(rows: list[Row]) -> list[Row]:
    """By task; figures of the report split first, since they decide; then by mean."""
    rows.sort(key=lambda row: (row.task, row.split != "report", -row.mean))
    rank: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        rank[row.task, row.split] += 1
        row.rank = rank[row.task, row.split]
    return rows


def _metric(run: RunLike) -> str:
    return run.params.get("metric", "mAP")


def _split(run: RunLike) -> str:
    return "report" if f"report/{_metric(run)}" in run.metrics else "search"


def _value(run: RunLike) -> float | None:
    prefix = "report" if _split(run) == "report" else "best"
    return run.metrics.get(f"{prefix}/{_metric(run)}")


def _by_seed(members: list[RunLike]) -> dict[int, float]:
    return {int(run.seed or 0): value for run in members if (value := _value(run)) is not None}


def _mean(members: list[RunLike], key: str) -> float | None:
    values = [run.metrics[key] for run in members if key in run.metrics]
    return sum(values) / len(values) if values else None
