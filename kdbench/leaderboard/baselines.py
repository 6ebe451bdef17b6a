"""Who is compared with whom, and how the comparisons come out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from kdbench.leaderboard.configs import Config, Split, on_split
from kdbench.leaderboard.statistics import Comparison, compare, corrected
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE
from kdbench.tracking.reader import Run

DETECTOR = ("student.config", "student.set.")
"""Params (by their start) of the detector that is trained."""
SAME = ("dataset.", "pipeline.", "student.", "schedule.epochs", "metric")
"""Params (by their start) that another study's baseline must share to be compared with."""


@dataclass(frozen=True)
class Compared:
    """A configuration's baseline and the comparison with it; None where there is nothing to compare with."""

    baseline: Config | None = None
    result: Comparison | None = None


def compared(shown: list[Config], runs: list[Run]) -> list[Compared]:
    """Each configuration against its baseline among `runs`, in order.

    Those that are compared with the same baseline on the same split are a family for Holm's correction. Plain training
    belongs to none: it is what the others are measured by.
    """
    baselines = _Baselines(runs)
    found: list[Compared] = []
    families: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, config in enumerate(shown):
        baseline = baselines.of(config)
        if baseline is None:
            found.append(Compared())
            continue
        found.append(Compared(baseline, compare(config.values, baseline.values, metrics.mode(config.metric))))
        if config.method != BASELINE:
            families[baseline.task, baseline.split, baseline.study, baseline.config].append(index)
    for family in families.values():
        results = [result for index in family if (result := found[index].result) is not None]
        for index, result in zip(family, corrected(results), strict=True):
            found[index] = Compared(found[index].baseline, result)
    return found


class _Baselines:
    """The best plain training of the same detector, in the same study, or of the same setting where a study has none."""

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
        # A suite's table may have plain training of the teacher's detector too: that is nobody else's baseline.
        study = [c for c in task if c.study == config.study and _values(c, DETECTOR) == _values(config, DETECTOR)]
        near = study or [c for c in task if _values(c, SAME) == _values(config, SAME)]
        return max(near, key=lambda c: (c.merit, c.config), default=None)


def _values(config: Config, starts: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in config.first.params.items() if name.startswith(starts)}
