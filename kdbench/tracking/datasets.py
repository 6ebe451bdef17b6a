"""The splits of a run's dataset, as inputs of its run: what MLflow's column Dataset shows, and what a figure was measured on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

CONTEXT = "mlflow.data.context"
SOURCE_TYPE = "kdbench"


@dataclass(frozen=True)
class Split:
    """One split: its dataset, which one it is, and the identity of its annotations, wherever they lie.

    Attributes:
        name: train, search or report.
    """

    dataset: str
    name: str
    digest: str
    images: int
    boxes: int
    kind: str = ""

    @property
    def title(self) -> str:
        """How MLflow names it.

        Example:
            >>> Split("shapes", "report", "a1b2", 8, 20).title
            'shapes/report'
        """
        return f"{self.dataset}/{self.name}"


def log(client: Any, run_id: str, splits: Sequence[Split]) -> None:
    """Make the splits inputs of a run. One that is there stays as it is."""
    if not splits:
        return
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            Dataset(
                one.title,
                one.digest,
                SOURCE_TYPE,
                json.dumps({"kind": one.kind, "split": one.name}),
                profile=json.dumps({"images": one.images, "boxes": one.boxes}),
            ),
            [InputTag(CONTEXT, one.name)],
        )
        for one in splits
    ]
    client.log_inputs(run_id, inputs)


def lacking(run: Any, splits: Iterable[Split]) -> list[Split]:
    """The splits that a run does not have as inputs."""
    inputs = getattr(run, "inputs", None)
    there = {(one.dataset.name, one.dataset.digest) for one in (inputs.dataset_inputs if inputs else ())}
    return [one for one in splits if (one.title, one.digest) not in there]
