"""Runs made by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from kdbench.tracking.reader import Run

MakeRun = Callable[..., Run]


@pytest.fixture
def run() -> MakeRun:
    """A completed trial of a study; `best` and `report` are its figures, `hours` its cost."""
    number = count()

    def make(
        method: str,
        config: str,
        seed: int = 0,
        best: float | None = None,
        report: float | None = None,
        hours: float | None = None,
        **changes: Any,
    ) -> Run:
        i = next(number)
        figures = {"best/mAP": best, "report/mAP": report, "cost/device_hours": hours}
        values: dict[str, Any] = {
            "run_id": f"id{i:04d}",
            "kind": "trial",
            "study": "first",
            "task": "shapes",
            "method": method,
            "trial": f"{method}-{i:03d}",
            "recipe": f"recipe{i}",
            "config": config,
            "seed": seed,
            "teacher": "t1",
            "stage": "search" if report is None else "final",
            "split": "search" if report is None else "report",
            "end": "completed",
            "status": "FINISHED",
            "params": {"metric": "mAP"},
            "metrics": {name: value for name, value in figures.items() if value is not None},
            "start_time": float(i),
        }
        more = changes.pop("metrics", {})
        values["metrics"].update(more)
        return Run(**{**values, **changes})

    return make


@pytest.fixture
def teacher(run: MakeRun) -> Run:
    return run("none", "", best=0.62, metrics={"report/mAP": 0.60}, kind="teacher", study=None, trial=None)
