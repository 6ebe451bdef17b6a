"""What the worker of a trial is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.search.trials import REPORTED, TrialState
from kdbench.specs.study import Resources


def make_payload(
    trial: TrialState, *, folder: Path, data: Path, teacher: Path | None, resources: Resources
) -> dict[str, Any]:
    """What the worker of a trial needs, as plain data."""
    content = {
        "recipe": trial.recipe.plain(),
        "workdir": str(folder / "trials" / trial.id),
        "data": str(data),
        "teacher": str(teacher) if teacher and trial.recipe.teacher else None,
        "device": "cuda" if resources.gpus else "cpu",
        "threads": max(1, int(resources.cpus)),
        "cpus": resources.cpus,
        "gpus": resources.gpus,
        "report": trial.stage in REPORTED,
    }
    return {**content, "trained": {"weights": content["teacher"], "summary": {}}} if trial.given else content
