"""An exported student is what it says: plain mmdet, in a process of its own, must measure what was recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.errors import InputError, RunError
from kdbench.search.finding import Trained
from kdbench.specs import metrics

EXACT, NEAR = 1e-6, 5e-3
"""Tolerances: where it was trained and is verified on a CPU, and where either was a GPU, which sums in another order."""
OWN = (*metrics.VOC, *metrics.CROWD)
"""Metrics that plain mmdet does not compute for a CocoDataset."""


@dataclass(frozen=True)
class Figure:
    """One figure of one split: as recorded when it was trained, and as measured from the export."""

    split: str
    name: str
    recorded: float
    measured: float | None
    held: bool

    @property
    def by(self) -> str:
        """Who computed the measured figure from plain mmdet's detections."""
        return "kdbench" if self.name in OWN else "mmdet"


@dataclass(frozen=True)
class Verification:
    """What plain mmdet measured.

    Attributes:
        operators: who served mmcv's operators: "compiled", or "torchvision" through kdbench.ops.
        classes: that the checkpoint names; `masks`: the student predicts instance masks.
        images: of each split.
    """

    device: str
    tolerance: float
    operators: str
    versions: dict[str, str]
    classes: tuple[str, ...]
    masks: bool
    images: dict[str, int]
    figures: tuple[Figure, ...]

    def figure(self, split: str, name: str) -> Figure | None:
        return next((one for one in self.figures if (one.split, one.name) == (split, name)), None)


def recorded(trained: Trained) -> dict[str, dict[str, float]]:
    """Split -> figures of the last epoch, whose weights are those that were kept.

    Raises:
        InputError: the training's last evaluation is not known.
    """
    last = trained.recipe.schedule.epochs
    if last not in trained.reports:
        raise InputError(f"trial {trained.name}: nothing is recorded of its last epoch, {last}; train the recipe again")
    search, report = _named(trained.reports[last], "val/"), _named(trained.summary, "report/")
    return {"search": search, **({"report": report} if report else {})}


def verify(
    folder: Path, trained: Trained, *, trained_on: str, device: str, threads: int, wanted: float | None
) -> Verification:
    """Evaluate the folder's config.py and student.pth in plain mmdet and compare.

    Args:
        trained_on, device: "cpu" or "cuda".
        threads: torch's, 0 for its own choice; those that it was trained with give the same sums.
        wanted: the tolerance; None takes EXACT or NEAR. One above EXACT holds the task's metric alone.

    Raises:
        RunError: plain mmdet fails, or a figure is another.
    """
    tolerance = wanted if wanted is not None else EXACT if trained_on == device == "cpu" else NEAR
    metric, known = trained.recipe.metric, recorded(trained)
    own = metric if metric in OWN else None
    found = _run({"folder": str(folder), "device": device, "threads": threads, "splits": list(known), "own": own})
    figures = [
        Figure(split, name, value, _measured(found["splits"][split], name), name == metric or tolerance <= EXACT)
        for split, values in known.items()
        for name, value in values.items()
    ]
    images = {split: content["images"] for split, content in found["splits"].items()}
    said = {name: found[name] for name in ("operators", "versions", "masks")}
    result = Verification(
        device, tolerance, classes=tuple(found["classes"]), images=images, figures=tuple(figures), **said
    )
    wrong = difference(result, metric)
    if wrong is not None:
        raise RunError(f"trial {trained.name}: {wrong}")
    return result


def difference(result: Verification, metric: str) -> str | None:
    """What differs by more than the tolerance, the task's metric first; None when nothing does."""
    for one in sorted(result.figures, key=lambda one: one.name != metric):
        if not one.held or (one.measured is not None and abs(one.measured - one.recorded) <= result.tolerance):
            continue
        measured = "no such figure" if one.measured is None else f"{one.measured:.6g}"
        text = f"{one.name} on the {one.split} split was recorded as {one.recorded:.6g}, and plain mmdet measures {measured}"
        text += f" (tolerance {result.tolerance:g})"
        if one.measured is not None and abs(one.measured - one.recorded) <= NEAR:
            text += f"; if it was trained on another machine, allow for that with --tolerance {NEAR:g}"
        return text
    return None


def _named(figures: dict[str, float], prefix: str) -> dict[str, float]:
    return {name: figures[prefix + name] for name in metrics.NAMES if prefix + name in figures}


def _measured(split: dict[str, Any], name: str) -> float | None:
    if name in OWN:
        return (split["own"] or {}).get(name)
    given: dict[str, float] = split["mmdet"]
    # mmdet says -1 where there is no such object, and nothing at all where nothing was detected.
    value = given.get(name if name in metrics.MASK else f"bbox_{name}", 0.0 if not given else -1.0)
    return value if value >= 0 else None


def _run(job: dict[str, Any]) -> dict[str, Any]:
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if job["device"] == "cpu" else {}
    with tempfile.TemporaryDirectory() as place:
        task, out = Path(place) / "job.json", Path(place) / "out.json"
        task.write_text(json.dumps({**job, "out": str(out)}), encoding="utf-8")
        command: Sequence[str] = (sys.executable, "-m", "kdbench.evaluation.plain_check", str(task))
        environment = {**os.environ, **hidden, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise RunError(f"plain mmdet cannot evaluate the exported student: {lines[-1].strip()[:300]}")
        content: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return content
