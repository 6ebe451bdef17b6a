"""Runs grouped into configurations: recipes that differ only in their seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kdbench.specs import metrics
from kdbench.tracking.reader import Run

Split = Literal["search", "report"]

Key = tuple[str, str, str, str]
"""Task, study, method, configuration."""


@dataclass(frozen=True)
class Config:
    """One configuration of one method in one study, measured on one split: one run for each seed."""

    task: str
    study: str
    method: str
    config: str
    split: Split
    metric: str
    runs: dict[int, Run]

    @property
    def values(self) -> dict[int, float]:
        """The metric by seed."""
        return {seed: _figure(run, self.split, self.metric) or 0.0 for seed, run in self.runs.items()}

    @property
    def mean(self) -> float:
        return sum(self.values.values()) / len(self.runs)

    @property
    def merit(self) -> float:
        """The mean, turned where lower is better: the best configuration has most."""
        return metrics.merit(self.metric, self.mean)

    @property
    def first(self) -> Run:
        """The run that stands for the configuration: the earliest."""
        return min(self.runs.values(), key=lambda run: (run.start_time or 0.0, run.run_id))


def configs(runs: Iterable[Run]) -> list[Config]:
    """The configurations that completed runs make up, each on the split where it is shown.

    Finalists that were all measured on the report split are shown on it, without the search's own trial, which
    won by what was measured on the search split. Everything else is shown on the search split.
    """
    found = [_reported(key, group) or _searched(key, group) for key, group in _groups(runs).items()]
    return [config for config in found if config is not None]


def on_split(runs: Iterable[Run], split: Split) -> list[Config]:
    """The configurations with a figure on `split`, whether they are shown on it or not."""
    make = _reported if split == "report" else _searched
    found = [make(key, group) for key, group in _groups(runs).items()]
    return [config for config in found if config is not None]


def metric_of(run: Run) -> str:
    """The metric of the run's task, by the recipe in its params."""
    return run.params.get("metric", "mAP")


def figure(run: Run, split: Split) -> float | None:
    """The run's figure on a split."""
    return _figure(run, split, metric_of(run))


def _groups(runs: Iterable[Run]) -> dict[Key, list[Run]]:
    groups: dict[Key, list[Run]] = defaultdict(list)
    for run in runs:
        if run.kind == "trial" and run.end == "completed" and run.config and run.method and run.seed is not None:
            groups[run.task, run.study or "", run.method, run.config].append(run)
    return groups


def _reported(key: Key, group: list[Run]) -> Config | None:
    later = [run for run in group if run.stage != "search"]
    complete = later and all(figure(run, "report") is not None for run in later)
    return _make(key, later, "report") if complete else None


def _searched(key: Key, group: list[Run]) -> Config | None:
    measured = [run for run in group if figure(run, "search") is not None]
    return _make(key, measured, "search") if measured else None


def _make(key: Key, group: list[Run], split: Split) -> Config:
    by_seed: dict[int, Run] = {}
    for run in sorted(group, key=lambda run: (run.start_time or 0.0, run.run_id)):
        by_seed[run.seed or 0] = run  # the same recipe twice: the later one counts
    return Config(*key, split, metric_of(group[0]), by_seed)


def _figure(run: Run, split: Split, metric: str) -> float | None:
    return run.metrics.get(f"{'report' if split == 'report' else 'best'}/{metric}")
