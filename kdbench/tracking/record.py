"""One run as the driver knows it: what MLflow is to have, and what it has already."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.tracking.datasets import Split

STATUS = {
    "completed": "FINISHED",
    "pruned": "FINISHED",
    "infeasible": "FINISHED",
    "failed": "FAILED",
    "lost": "KILLED",
}
"""MLflow's status of each end state."""

GOES_ON = ("failed", "lost")
"""Ends after which a trial may be trained further."""


@dataclass
class Closing:
    """How a run is to end; `end` is None for a study and for an interrupted run."""

    status: str
    end: str | None = None
    reason: str | None = None
    summary: dict[str, float] = field(default_factory=dict)
    artifacts: list[Path] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Record:
    """The first block is what was asked for; the second what MLflow is known to have; the third what it still lacks."""

    task: str
    name: str
    identity: dict[str, str]
    tags: dict[str, str]
    params: dict[str, str]
    recipe: dict[str, Any] | None = None
    parent: str | None = None
    splits: tuple[Split, ...] = ()

    run_id: str | None = None
    experiment_id: str | None = None
    artifacts_at: str = ""
    model: str | None = None
    adopted: bool = False
    status: str = ""
    end: str | None = None
    steps: set[int] = field(default_factory=set)
    values: dict[str, float] = field(default_factory=dict)

    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    closing: Closing | None = None
    wants_running: bool = True
    per_epoch: set[str] = field(default_factory=set)
    epochs_written: float = -math.inf
    """When epochs, or the run itself, were last written, in seconds of the monotonic clock."""

    @property
    def missing(self) -> bool:
        """Whether MLflow lacks something."""
        return self.run_id is None or bool(self.epochs) or self.closing is not None or self.wants_running
