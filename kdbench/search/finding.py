"""Finding trainings on the disk: trials of every study in a storage folder, and runs of `kdbench train`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.errors import InputError, brief, did_you_mean
from kdbench.search import folders
from kdbench.search.ledger import FILE as LEDGER
from kdbench.search.ledger import Ledger
from kdbench.specs import metrics
from kdbench.specs.base import content_hash
from kdbench.specs.recipe import Recipe

OUTCOME = "outcome.json"
"""What a run of `kdbench train` leaves in its folder, beside its weights."""
SINGLE = "train"
"""The study that runs of `kdbench train` are filed under."""


@dataclass
class Trained:
    """One training, whatever became of it.

    Attributes:
        reports: epoch -> its metrics (`val/mAP`, `train/loss`, ...).
        end: one of the five end states; None while it has not ended.
        summary: the last figures: `best/mAP`, `report/mAP` where it was measured, `cost/...`.
        workdir: has student.pth (a completed training's last weights), mmdet_config.py and log.txt.
        data_root: the folder of the data that was given with --data-root.
        data: identity of the dataset's annotations; "" where it is not known.
    """

    study: str
    trial: str
    stage: str
    recipe: Recipe
    workdir: Path
    data_root: Path | None = None
    reports: dict[int, dict[str, float]] = field(default_factory=dict)
    end: str | None = None
    reason: str | None = None
    summary: dict[str, float] = field(default_factory=dict)
    data: str = ""

    @property
    def name(self) -> str:
        """How a user names it: STUDY/TRIAL."""
        return f"{self.study}/{self.trial}"

    @property
    def completed(self) -> bool:
        """It was trained to its end, and its weights are there."""
        return self.end == "completed" and (self.workdir / "student.pth").is_file()


@dataclass
class Searched:
    """A trial of a search: what was proposed, and what came of it.

    Attributes:
        value: the best that it reported; None where it reported nothing.
        reports: epoch -> value of the task's metric.
    """

    trial: str
    arm: str
    proposal: dict[str, Any]
    recipe: Recipe
    end: str | None = None
    reports: dict[int, float] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        return metrics.best(self.recipe.metric, list(self.reports.values()))


def searched(storage: Path, study: str) -> Iterator[Searched]:
    """The search trials of one study that have ended, in the order of their start."""
    folder, _ = folders.open_any(storage, study)
    found: dict[str, Searched] = {}
    for event in Ledger(folder / LEDGER).read(repair=False):
        name, kind = event.get("trial", ""), event["event"]
        if kind == "trial" and event["stage"] == "search":
            recipe = Recipe.parse(event["recipe"], f"{folder / LEDGER}, trial {name}")
            found[name] = Searched(name, event["arm"], event["proposal"], recipe)
        elif name in found and kind == "report":
            found[name].reports[event["epoch"]] = event["value"]
        elif name in found and kind in ("end", "retry"):
            found[name].end = event.get("end")
    yield from (one for one in found.values() if one.end is not None)


def trainings(storage: Path, study: str | None = None) -> Iterator[Trained]:
    """Every training in the storage folder, or those of one study; teachers too (stage "teacher")."""
    for name in folders.studies(storage):
        if study in (None, name):
            yield from _of_study(storage, name)
    if study in (None, SINGLE):
        for file in sorted((storage / "runs").glob(f"*/{OUTCOME}")):
            yield _single(file)


def find(storage: Path, name: str) -> Trained:
    """The training that a user means by STUDY/TRIAL, by TRIAL alone or by (the start of) its recipe's hash.

    Raises:
        InputError: there is none, or several; says which.

    Example:
        >>> find(Path("kdbench-runs"), "defeat-shapes/defeat-003").summary["best/mAP"]
        0.35
    """
    study, _, trial = name.rpartition("/")
    every = list(trainings(storage, study or None))
    found = [one for one in every if one.trial == trial] or [
        one for one in every if len(trial) >= 6 and one.recipe.hash.startswith(trial)
    ]
    if len({one.recipe.hash for one in found}) == 1:
        return max(found, key=lambda one: (one.completed, "report/" + one.recipe.metric in one.summary))
    if found:
        raise InputError(f"trial {brief(name)} may be any of {', '.join(one.name for one in found[:5])}; say which")
    names = [one.name for one in trainings(storage)]
    raise InputError(f"no trial {brief(name)} in {storage}; {did_you_mean(name, names, 'kdbench leaderboard')}")


def record_single(
    workdir: Path,
    recipe: Recipe,
    data_root: Path | None,
    content: dict[str, Any],
    *,
    data: str = "",
    teacher: bool = False,
) -> None:
    """Write down how a run of `kdbench train` ended; the file appears whole or not at all.

    Args:
        content: end, reason, summary and reports (epoch -> metrics).
        data: identity of the annotations.
    """
    root = str(data_root) if data_root else None
    known = {"recipe": recipe.plain(), "data_root": root, "data": data, "teacher": teacher}
    temporary = workdir / f".{OUTCOME}"
    temporary.write_text(json.dumps({**known, **content}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(workdir / OUTCOME)


def _single(file: Path) -> Trained:
    content = json.loads(file.read_text(encoding="utf-8"))
    recipe = Recipe.parse(content["recipe"], str(file))
    return Trained(
        SINGLE,
        recipe.hash,
        "teacher" if content["teacher"] else "train",
        recipe,
        file.parent,
        Path(content["data_root"]) if content["data_root"] else None,
        {int(epoch): figures for epoch, figures in content["reports"].items()},
        content["end"],
        content["reason"],
        content["summary"],
        content.get("data", ""),
    )


def _of_study(storage: Path, study: str) -> Iterator[Trained]:
    folder, plan = folders.open_any(storage, study)
    root = Path(plan.data_root) if plan.data_root else None
    found: dict[str, Trained] = {}
    for event in Ledger(folder / LEDGER).read(repair=False):
        name = event.get("trial", "")
        if event["event"] == "trial":
            recipe = Recipe.parse(event["recipe"], f"{folder / LEDGER}, trial {name}")
            known = plan.data if isinstance(plan.data, str) else plan.data.get(content_hash(recipe.dataset.plain()), "")
            workdir = folder / "trials" / name
            found[name] = Trained(study, name, event["stage"], recipe, workdir, root, data=known)
        elif event["event"] == "report":
            found[name].reports[event["epoch"]] = event["metrics"]
        elif event["event"] == "end":
            found[name].end, found[name].reason, found[name].summary = event["end"], event["reason"], event["summary"]
        elif event["event"] == "retry":
            found[name].end = found[name].reason = None
    yield from found.values()
