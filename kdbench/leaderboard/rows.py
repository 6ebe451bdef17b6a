"""Runs become rows: who is compared with whom, and what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from kdbench.leaderboard.configs import BASELINE, Config, Split, configs, figure, on_split
from kdbench.leaderboard.row import NO_TEACHER, Row
from kdbench.leaderboard.statistics import compare, summarize
from kdbench.specs import metrics
from kdbench.tracking.reader import Run

SAME = ("dataset.", "pipeline.", "student.", "schedule.epochs", "metric")
"""Params (by their start) that another study's baseline must share to be compared with."""


def build_rows(runs: list[Run], studies: Collection[str] | None = None) -> list[Row]:
    """The leaderboard of `runs`: rows by task, in each the best mean first.

    Args:
        runs: trials, and the teachers that they refer to.
        studies: rows of these only; the others serve as baselines.

    Example:
        >>> [(row.rank, row.method, row.mean) for row in build_rows(read_runs(uri))]
        [(1, 'defeat', 0.36), (2, 'none', 0.21)]
    """
    baselines = _Baselines(runs)
    teachers = {(run.task, run.teacher): run for run in runs if run.kind == "teacher"}
    spent: dict[tuple[str, str | None, str | None], list[float]] = defaultdict(list)
    for run in runs:
        if run.kind == "trial":
            spent[run.task, run.study, run.method] += _metric([run], "cost/device_hours")
    shown = [config for config in configs(runs) if studies is None or config.study in studies]
    rows: list[Row] = []
    for task in sorted({config.task for config in shown}):
        own = sorted((c for c in shown if c.task == task), key=lambda c: (-c.merit, c.method, c.study, c.config))
        for rank, config in enumerate(own, 1):
            teacher = teachers.get((config.task, config.first.teacher))
            rows.append(_row(rank, config, baselines.of(config), teacher, spent[task, config.study, config.method]))
    return rows


class _Baselines:
    """The best configuration of plain training, by study, or by task where a study has none."""

    def __init__(self, runs: list[Run]) -> None:
        plain = [run for run in runs if run.method == BASELINE]
        splits: tuple[Split, ...] = ("search", "report")
        self._by_task: dict[tuple[str, Split], list[Config]] = defaultdict(list)
        for split in splits:
            for config in on_split(plain, split):
                self._by_task[config.task, split].append(config)

    def of(self, config: Config) -> Config | None:
        """What a configuration is compared with: on the same split, by the same metric."""
        task = [c for c in self._by_task[config.task, config.split] if c.metric == config.metric]
        study = [c for c in task if c.study == config.study]
        near = study or [c for c in task if _setting(c) == _setting(config)]
        return max(near, key=lambda c: (c.merit, c.config), default=None)


def _setting(config: Config) -> dict[str, str]:
    return {name: value for name, value in config.first.params.items() if name.startswith(SAME)}


def _row(rank: int, config: Config, baseline: Config | None, teacher: Run | None, spent: list[float]) -> Row:
    summary = summarize(list(config.values.values()))
    teacher_mean = figure(teacher, config.split) if teacher is not None else None
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
        **_compared(config, baseline),
        teacher_mean=teacher_mean,
        gap_closed=_gap_closed(config, baseline, teacher_mean),
        **_costs(config, spent),
        published=None,
        split=config.split,
        teacher=NO_TEACHER if config.method == BASELINE else config.first.teacher or NO_TEACHER,
    )


def _compared(config: Config, baseline: Config | None) -> dict[str, Any]:
    if baseline is None:
        return {"baseline_mean": None, "delta": None, "delta_ci95": None, "verdict": None}
    result = compare(config.values, baseline.values, metrics.mode(config.metric))
    if config.method == BASELINE:
        return {"baseline_mean": baseline.mean, "delta": result.delta, "delta_ci95": None, "verdict": None}
    return {
        "baseline_mean": baseline.mean,
        "delta": result.delta,
        "delta_ci95": result.ci95,
        "verdict": result.verdict,
    }


def _gap_closed(config: Config, baseline: Config | None, teacher: float | None) -> float | None:
    if baseline is None or teacher is None:
        return None
    gap = metrics.merit(config.metric, teacher) - baseline.merit
    return (config.merit - baseline.merit) / gap if gap > 0 else None


def _costs(config: Config, spent: list[float]) -> dict[str, float | None]:
    own = list(config.runs.values())
    return {
        "device_hours": _mean(_metric(own, "cost/device_hours")),
        "search_device_hours": sum(spent) if spent else None,
        "peak_memory_gb": max(_metric(own, "cost/peak_memory_gb"), default=None),
        "sec_per_iter": _mean(_metric(own, "sec_per_iter")),
        "params_m": _mean(_metric(own, "cost/params_m")),
    }


def _metric(runs: Iterable[Run], name: str) -> list[float]:
    return [run.metrics[name] for run in runs if name in run.metrics]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
