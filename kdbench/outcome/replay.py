"""Training a trial's recipe again, outside Ray, and saying whether it came out the same."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kdbench.data import prepare
from kdbench.detectors import teachers
from kdbench.errors import InputError, RunError
from kdbench.running.single import Bar
from kdbench.search import folders
from kdbench.search.finding import SINGLE, Trained, find, trainings
from kdbench.training.job import Job, check_device
from kdbench.training.train import train

FOLDER = "replays"
COSTS = ("cost/", "sec_per_iter")
"""Figures (by their start) that depend on the machine and its other work: shown, not compared."""


@dataclass(frozen=True)
class Replay:
    """A recorded training beside its repetition.

    Attributes:
        recorded, again: epoch -> figures without costs; epoch 0 has those of the report split, where it was measured.
        hours: device-hours, recorded and now.
        spread: standard deviation of the metric over the seeds of the same recipe, where several were trained.
    """

    name: str
    metric: str
    recorded: dict[int, dict[str, float]]
    again: dict[int, dict[str, float]]
    hours: tuple[float | None, float | None]
    spread: float | None

    @property
    def same(self) -> bool:
        """Whether every figure is identical."""
        return self.recorded == self.again

    @property
    def first(self) -> int | None:
        """The first epoch with a figure that differs; 0 where only the report split's does."""
        epochs = sorted(self.recorded.keys() | self.again.keys(), key=lambda epoch: (epoch == 0, epoch))
        return next((e for e in epochs if self.recorded.get(e) != self.again.get(e)), None)

    @property
    def largest(self) -> float:
        """The largest difference of the metric that ranks, over epochs and the report split."""
        gaps = [0.0]
        for epoch in self.recorded.keys() & self.again.keys():
            for name in (f"val/{self.metric}", f"report/{self.metric}"):
                if name in self.recorded[epoch] and name in self.again[epoch]:
                    gaps.append(abs(self.recorded[epoch][name] - self.again[epoch][name]))
        return max(gaps)

    @property
    def verdict(self) -> str:
        """In one line."""
        if self.same:
            return f"the same: every figure of {self.name} came out identical"
        place = f"epoch {self.first}" if self.first else "the report split"
        text = f"not the same: differs from {place} on, {self.metric} by at most {self.largest:.4f}"
        if self.spread is None:
            return text
        inside = "inside" if self.largest <= 2 * self.spread else "outside"
        return f"{text}; that is {inside} two standard deviations of its seeds ({self.spread:.4f} each)"


def replay(
    storage: Path, name: str, *, data_root: Path | None = None, device: str | None = None, threads: int | None = None
) -> Replay:
    """Train a trial's recipe again in a folder of its own; the trial's study and MLflow are left alone.

    Started again after an interruption, it goes on where it was.

    Args:
        name: STUDY/TRIAL, TRIAL, or the start of a recipe's hash.
        data_root, device, threads: those of the trial where None.

    Raises:
        InputError: no such trial, it is not completed, or its data or its teacher is not there.
        RunError: the repetition did not end as completed.
    """
    known = find(storage, name)
    if known.end != "completed":
        raise InputError(f"{known.name} is {known.end or 'not finished'}; only a completed training can be replayed")
    recipe = known.recipe
    device, threads = _as_before(storage, known, device, threads)
    check_device(recipe, device)
    data = prepare(recipe.dataset, storage, data_root or known.data_root)
    weights = teachers.require(storage, recipe.teacher)
    workdir = storage / FOLDER / recipe.hash
    report = any(figure.startswith("report/") for figure in known.summary)
    with Bar(f"replay of {known.name}", recipe.metric) as bar:
        outcome = train(Job(recipe, data, workdir, weights, device, threads, report), bar)
    if outcome.end != "completed":
        raise RunError(f"the replay of {known.name} ended as {outcome.end}: {outcome.reason}")
    again = {entry.epoch: entry.metrics for entry in outcome.history}
    return Replay(
        known.name,
        recipe.metric,
        _compared(known.reports, known.summary),
        _compared(again, outcome.summary),
        (known.summary.get("cost/device_hours"), outcome.summary.get("cost/device_hours")),
        _spread(storage, known),
    )


def _as_before(storage: Path, known: Trained, device: str | None, threads: int | None) -> tuple[str, int]:
    """Device and torch threads of the trial: other ones add up in another order, and the last digits differ."""
    if known.study == SINGLE:
        return device or "auto", threads or 0
    _, plan = folders.open_any(storage, known.study)
    before = "cuda" if plan.resources.gpus else "cpu"
    return device or before, max(1, int(plan.resources.cpus)) if threads is None else threads


def _compared(reports: Mapping[int, Mapping[str, float]], summary: Mapping[str, float]) -> dict[int, dict[str, float]]:
    figures = {
        epoch: {name: value for name, value in told.items() if not name.startswith(COSTS)}
        for epoch, told in reports.items()
    }
    last = {name: value for name, value in summary.items() if name.startswith("report/")}
    return {**figures, 0: last} if last else figures


def _spread(storage: Path, known: Trained) -> float | None:
    """Over the completed trainings of the study that differ from this one in the seed alone."""
    name = f"val/{known.recipe.metric}"
    values = {}
    for one in trainings(storage, known.study):
        if one.end == "completed" and one.recipe.config_hash == known.recipe.config_hash and one.reports:
            values[one.recipe.seed] = one.reports[max(one.reports)].get(name)
    figures = [value for value in values.values() if value is not None]
    return statistics.stdev(figures) if len(figures) > 1 else None
