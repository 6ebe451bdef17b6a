"""Runs become rows: what is compared with what, what was published, and what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from kdbench.leaderboard.baselines import Compared, compared
from kdbench.leaderboard.configs import Config, configs, figure
from kdbench.leaderboard.published import beside
from kdbench.leaderboard.row import NO_TEACHER, Row
from kdbench.leaderboard.statistics import summarize
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE
from kdbench.tracking.reader import Run


def build_rows(runs: list[Run], studies: Collection[str] | None = None) -> list[Row]:
    """The leaderboard of `runs`: rows by task, in each the best mean first.

    Verdicts are corrected for all the rows of a task and split that are compared with the same baseline; rows that
    `studies` leaves out do not count.

    Args:
        runs: trials, and the teachers that they refer to.
        studies: rows of these only; the others serve as baselines.

    Example:
        >>> [(row.rank, row.method, row.mean) for row in build_rows(read_runs(uri))]
        [(1, 'defeat', 0.36), (2, 'none', 0.21)]
    """
    teachers = {(run.task, run.teacher): run for run in runs if run.kind == "teacher"}
    spent = _spent(runs)
    shown = [config for config in configs(runs) if studies is None or config.study in studies]
    shown.sort(key=lambda c: (c.task, -c.merit, c.method, c.study, c.first.trial or "", c.config))
    rows: list[Row] = []
    ranks: dict[str, int] = defaultdict(int)
    for config, against in zip(shown, compared(shown, runs), strict=True):
        ranks[config.task] += 1
        teacher = teachers.get((config.task, config.first.teacher))
        search = spent.get((config.task, config.study, config.method))
        rows.append(_row(ranks[config.task], config, against, teacher, search))
    return rows


def _spent(runs: Iterable[Run]) -> dict[tuple[str, str | None, str | None], float]:
    """Device hours by task, study and method: of every trial however it ended, finalists included."""
    hours: dict[tuple[str, str | None, str | None], float] = {}
    for run in runs:
        if run.kind == "trial" and "cost/device_hours" in run.metrics:
            key = run.task, run.study, run.method
            hours[key] = hours.get(key, 0.0) + run.metrics["cost/device_hours"]
    return hours


def _row(rank: int, config: Config, against: Compared, teacher: Run | None, search: float | None) -> Row:
    summary = summarize(list(config.values.values()))
    teacher_mean = figure(teacher, config.split) if teacher is not None else None
    taught = config.method != BASELINE and config.first.teacher is not None
    return Row(
        rank=rank,
        task=config.task,
        method=config.method,
        study=config.study,
        trial=config.first.trial,
        recipe=config.first.recipe,
        metric=config.metric,
        n_seeds=summary.n,
        mean=summary.mean,
        std=summary.std,
        ci95=summary.ci95,
        **_difference(config, against),
        teacher_mean=teacher_mean,
        gap_closed=_gap_closed(config, against.baseline, teacher_mean),
        **_costs(config),
        search_device_hours=search,
        **beside(config, summary),
        split=config.split,
        teacher=config.first.teacher or NO_TEACHER if taught else NO_TEACHER,
        teacher_device_hours=teacher.metrics.get("cost/device_hours") if taught and teacher is not None else None,
        shared=_shared(config),
    )


def _difference(config: Config, against: Compared) -> dict[str, Any]:
    """To the baseline. Plain training has a difference and no verdict."""
    baseline, result = against.baseline, against.result
    if baseline is None or result is None:
        return {"baseline_mean": None, "delta": None, "delta_ci95": None, "verdict": None}
    found = {"baseline_mean": baseline.mean, "delta": result.delta, "delta_ci95": None, "verdict": None}
    if config.method == BASELINE:
        return found
    judged = {"verdict": result.verdict, "p_value": result.p_value, "p_holm": result.p_holm}
    return {**found, "delta_ci95": result.ci95, **judged}


def _gap_closed(config: Config, baseline: Config | None, teacher: float | None) -> float | None:
    if baseline is None or teacher is None:
        return None
    gap = metrics.merit(config.metric, teacher) - baseline.merit
    return (config.merit - baseline.merit) / gap if gap > 0 else None


def _costs(config: Config) -> dict[str, float | None]:
    own = list(config.runs.values())
    return {
        "device_hours": _mean(_metric(own, "cost/device_hours")),
        "peak_memory_gb": max(_metric(own, "cost/peak_memory_gb"), default=None),
        "sec_per_iter": _mean(_metric(own, "sec_per_iter")),
        "params_m": _mean(_metric(own, "cost/params_m")),
        "gflops": _mean(_metric(own, "cost/gflops")),
    }


def _shared(config: Config) -> int | None:
    return int(max(_metric(config.runs.values(), f"data/shared_{config.split}"), default=0)) or None


def _metric(runs: Iterable[Run], name: str) -> list[float]:
    return [run.metrics[name] for run in runs if name in run.metrics]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
