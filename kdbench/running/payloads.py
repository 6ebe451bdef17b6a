"""What the worker of a trial is told: plain data, written by the driver and read on whichever node the trial runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.errors import InputError
from kdbench.search.trials import REPORTED, TrialState
from kdbench.specs.recipe import Recipe
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


def read_job(payload: dict[str, Any]) -> Any:
    """The job of a trial's payload.

    Raises:
        InputError: this node does not see the storage or the data.
    """
    from kdbench.data import read_prepared
    from kdbench.training.job import Job

    workdir = Path(payload["workdir"])
    if not workdir.parent.is_dir():
        raise InputError(f"{workdir.parent} is not visible on this node; put --storage on a path that all nodes share")
    workdir.mkdir(exist_ok=True)
    return Job(
        recipe=Recipe.parse(payload["recipe"], "trial"),
        data=read_prepared(Path(payload["data"])),
        workdir=workdir,
        teacher_weights=Path(payload["teacher"]) if payload["teacher"] else None,
        device=payload["device"],
        threads=payload["threads"],
        report=payload["report"],
    )
