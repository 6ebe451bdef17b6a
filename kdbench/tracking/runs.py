"""Finding or making experiments and runs, by tags alone: whoever asks twice gets the same one."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from kdbench.tracking import datasets, students
from kdbench.tracking.names import chunks
from kdbench.tracking.record import Record
from kdbench.tracking.source import NAME, source_tags

EPOCH = "epoch"
"""A metric logged with each epoch: its steps are the epochs that the run has, whatever else was NaN."""

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tells MLflow's UI that this is about training, so that it opens on the runs and not on traces of language models."""

log = logging.getLogger("kdbench.tracking")


def experiment(client: Any, task: str, location: str | None) -> str:
    """The id of the task's experiment; made if it is not there."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(task)
    if found is None:
        try:
            return str(client.create_experiment(task, artifact_location=location, tags=KIND))
        except MlflowException:  # another study was faster
            found = client.get_experiment_by_name(task)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        log.warning("MLflow's experiment %s was deleted; it is restored, because its name is taken", task)
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def make(client: Any, record: Record, experiment_id: str, parent: str | None) -> None:
    """Make the record's run."""
    tags = {**source_tags(), **record.tags, **record.identity, **({"mlflow.parentRunId": parent} if parent else {})}
    run = client.create_run(experiment_id, tags=tags, run_name=record.name)
    record.run_id, record.status, record.wants_running = run.info.run_id, "RUNNING", False
    record.experiment_id, record.adopted, record.artifacts_at = experiment_id, False, run.info.artifact_uri
    record.epochs_written = time.monotonic()
    _describe(client, record, {})
    datasets.log(client, run.info.run_id, record.splits)


def adopt(client: Any, record: Record, run: Any, parent: str | None) -> None:
    """Go on with a run that is there: learn what it has, and add what it lacks."""
    record.run_id, record.status = run.info.run_id, run.info.status
    record.adopted, record.artifacts_at = True, run.info.artifact_uri
    record.experiment_id, record.model = run.info.experiment_id, run.data.tags.get(students.TAG)
    record.end = run.data.tags.get("kdbench.end")
    record.values = dict(run.data.metrics)
    if EPOCH in record.values:
        record.steps = {metric.step for metric in client.get_metric_history(record.run_id, EPOCH)}
    wanted = {**record.tags, **({"mlflow.parentRunId": parent} if parent else {})}
    wanted.pop("kdbench.split", None)  # the end of the run has decided it
    if NAME not in run.data.tags:  # of an earlier kdbench
        wanted |= source_tags()
    set_tags(client, record.run_id, {k: v for k, v in wanted.items() if run.data.tags.get(k) != v})
    _describe(client, record, run.data.params)
    datasets.log(client, run.info.run_id, datasets.lacking(run, record.splits))


def set_tags(client: Any, run_id: str, tags: dict[str, str]) -> None:
    """Set tags, all in one request."""
    from mlflow.entities import RunTag

    for some in chunks([RunTag(name, value) for name, value in tags.items()]):
        client.log_batch(run_id, tags=some)


def log_file(client: Any, record: Record, path: Path) -> None:
    """Add an artifact; one that cannot be stored is told in the log and left out.

    Not by the client's `log_artifact`, which asks for the run each time and keeps a store of files for each.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        get_artifact_repository(record.artifacts_at, tracking_uri=client.tracking_uri).log_artifact(str(path))
    except Exception as error:
        log.warning("MLflow could not store %s: %s", path.name, " ".join(str(error).split())[:200])


def _describe(client: Any, record: Record, there: dict[str, str]) -> None:
    """Write the params that the run lacks. MLflow refuses to change one, so what is there stays."""
    from mlflow.entities import Param

    missing = [Param(name, value) for name, value in record.params.items() if name not in there]
    if missing and record.recipe is not None:  # the artifact first: a run with all its params has it
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recipe.json"
            path.write_text(json.dumps(record.recipe, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            log_file(client, record, path)
    for some in chunks(missing):
        client.log_batch(record.run_id, params=some)
