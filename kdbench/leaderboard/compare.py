"""Two sides against each other: studies, methods or single trials; the difference, what it allows to say, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kdbench.errors import InputError, did_you_mean
from kdbench.leaderboard.configs import Config, Split, on_split
from kdbench.leaderboard.statistics import Comparison, compare, summarize
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE
from kdbench.tracking.reader import Run

COSTS = {
    "device-hours of a run": "cost/device_hours",
    "peak memory, GiB": "cost/peak_memory_gb",
    "seconds per iteration": "sec_per_iter",
    "parameters, millions": "cost/params_m",
    "GFLOPs": "cost/gflops",
}
ASIDE = ("seed", "version", "method.params", "teacher")
"""Params that are no settings: what differs between repetitions, and what a method without parameters or a teacher leaves."""


@dataclass(frozen=True)
class Side:
    """What was asked for by a name, and the configuration that stands for it."""

    asked: str
    config: Config

    @property
    def shown(self) -> str:
        """Study and trial; the first seed's, where there are several."""
        return f"{self.config.study}/{self.config.first.trial}"

    def plain(self) -> dict[str, Any]:
        """For programs."""
        summary = summarize(list(self.config.values.values()))
        own = list(self.config.runs.values())
        return {
            "asked": self.asked,
            "study": self.config.study,
            "method": self.config.method,
            "trial": self.config.first.trial,
            "recipe": self.config.first.recipe,
            "n_seeds": summary.n,
            "mean": summary.mean,
            "std": summary.std,
            "ci95": summary.ci95,
            **{key.replace("cost/", ""): _mean(own, key) for key in COSTS.values()},
        }


@dataclass(frozen=True)
class Duel:
    """Side `a` against side `b`, on one split of one task."""

    a: Side
    b: Side
    result: Comparison

    @property
    def verdict(self) -> str:
        """In words."""
        if self.result.verdict == "single":
            return "one seed proves nothing; more: kdbench search METHOD --seeds 3"
        if self.result.verdict == "tie":
            return "a tie: the difference lies inside its interval"
        winner = self.a if self.result.verdict == "better" else self.b
        return f"{winner.asked} is better"

    @property
    def settings(self) -> list[tuple[str, str, str]]:
        """Key, a's value, b's value, where they differ; "" where a side has no such key."""
        one, two = self.a.config.first.params, self.b.config.first.params
        keys = [key for key in dict.fromkeys([*one, *two]) if key not in ASIDE and one.get(key) != two.get(key)]
        if "none" in (one.get("teacher"), two.get("teacher")):  # a side without one: its detector is no setting
            keys = [key for key in keys if not key.startswith("teacher.")]
        return [(key, one.get(key, ""), two.get(key, "")) for key in keys if key != "teacher.id"]

    def plain(self) -> dict[str, Any]:
        """For programs."""
        config, result = self.a.config, self.result
        return {
            "task": config.task,
            "metric": config.metric,
            "split": config.split,
            "a": self.a.plain(),
            "b": self.b.plain(),
            "delta": result.delta,
            "delta_ci95": result.ci95,
            "p_value": result.p_value,
            "verdict": result.verdict,
            "settings": {key: {"a": a, "b": b} for key, a, b in self.settings},
        }


def duel(runs: Sequence[Run], a: str, b: str) -> Duel:
    """Compare what two names stand for: STUDY, METHOD, STUDY/TRIAL, or the start of a recipe's hash.

    A study or a method stands for its best configuration. Both sides are taken on the report split if both have figures of it,
    else on the search split.

    Args:
        runs: all trials of the task.

    Raises:
        InputError: a name that nothing has, no finished training, the same one twice, or sides that cannot be compared.

    Example:
        >>> duel(read_runs(uri, task="shapes"), "defeat", "pkd").verdict
        'pkd is better'
    """
    splits: tuple[Split, ...] = ("report", "search")
    for split in splits:
        there = on_split(runs, split)
        sides = [_best(_named(there, name)) for name in (a, b)]
        if None not in sides:
            break
    for name, side in zip((a, b), sides, strict=True):
        if side is None:
            raise InputError(_unknown(runs, name))
    one, two = Side(a, sides[0]), Side(b, sides[1])  # type: ignore[arg-type]
    if one.config == two.config:
        raise InputError(f"{a} and {b} stand for the same trainings, {one.shown}; name two that differ")
    for what in ("task", "metric"):
        left, right = getattr(one.config, what), getattr(two.config, what)
        if left != right:
            raise InputError(f"{a} has {what} {left} and {b} has {right}; figures of different {what}s do not compare")
    return Duel(one, two, compare(one.config.values, two.config.values, metrics.mode(one.config.metric)))


def _named(there: Iterable[Config], name: str) -> list[Config]:
    study, _, trial = name.rpartition("/")
    found = [c for c in there if _has(c, study, trial or name)]
    if found:
        return found
    own = [c for c in there if c.study == name]
    return [c for c in own if c.method != BASELINE] or own or [c for c in there if c.method == name]


def _has(config: Config, study: str, trial: str) -> bool:
    if study and config.study != study:
        return False
    hashes = [run.recipe or "" for run in config.runs.values()]
    by_hash = len(trial) >= 6 and any(one.startswith(trial) for one in hashes)
    return by_hash or any(run.trial == trial for run in config.runs.values())


def _best(found: list[Config]) -> Config | None:
    return max(found, key=lambda c: (c.merit, c.study, c.config), default=None)


def _unknown(runs: Iterable[Run], name: str) -> str:
    trials = [run for run in runs if run.kind == "trial"]
    mine = [run for run in trials if name in (run.study, run.method, f"{run.study}/{run.trial}")]
    if mine:
        return f"{name} has no completed training with a figure; wait for it, or kdbench resume {mine[0].study}"
    known = {str(run.study) for run in trials} | {str(run.method) for run in trials}
    known |= {f"{run.study}/{run.trial}" for run in trials} if "/" in name else set()
    return f"{name}: no study, method or trial of that name; {did_you_mean(name, known)}"


def _mean(runs: list[Run], key: str) -> float | None:
    values = [run.metrics[key] for run in runs if key in run.metrics]
    return sum(values) / len(values) if values else None
