"""Bringing MLflow up to date with one record. Stopped anywhere, the next push does the rest and nothing twice."""

from __future__ import annotations

import math
import time
from typing import Any

from kdbench.tracking.names import chunks
from kdbench.tracking.record import GOES_ON, Closing, Record
from kdbench.tracking.runs import EPOCH, log_file, set_tags
from kdbench.tracking.students import TAG, close_model, measured_on, open_model

MOST_METRICS = 900
"""Of one request, which takes a hundred tags besides."""


class Request:
    """What is to be written into one run: metrics and tags travel together."""

    def __init__(self, client: Any, record: Record) -> None:
        self._client, self._record = client, record
        self._metrics: list[Any] = []
        self.tags: dict[str, str] = {}

    def add(self, figures: list[tuple[str, float, int]], model: str | None = None) -> None:
        """Metrics, each with its step; as many go into one request as it takes whole lists."""
        from mlflow.entities import Metric

        if self._metrics and len(self._metrics) + len(figures) > MOST_METRICS:
            self.send()
        now = int(time.time() * 1000)
        for name, value, step in figures:
            split = measured_on(self._record, name) if model else None
            self._metrics.append(Metric(name, value, now, step, **({"model_id": model, **split} if split else {})))
        self._record.values.update({name: value for name, value, _ in figures})

    def send(self) -> None:
        """Write what is there."""
        from mlflow.entities import RunTag

        parts = list(chunks(self._metrics, MOST_METRICS)) or ([[]] if self.tags else [])
        tags = [RunTag(name, value) for name, value in self.tags.items()]
        for number, some in enumerate(parts, 1):
            self._client.log_batch(self._record.run_id, metrics=some, tags=tags if number == len(parts) else [])
        self._metrics, self.tags = [], {}


def push(client: Any, record: Record) -> None:
    """Write all that the record's run lacks: its status, its epochs, its end."""
    ended = record.end is not None and record.end != "lost"
    if record.wants_running and not ended:
        _reopen(client, record)
    record.wants_running = False
    request = Request(client, record)
    if record.epochs:
        _add_epochs(client, record, request)
    if record.closing is not None:
        _close(client, record, request, record.closing)
    request.send()
    record.epochs.clear()
    if record.closing is not None:
        record.closing, record.epochs_written = None, -math.inf


def _reopen(client: Any, record: Record) -> None:
    if record.status != "RUNNING":
        client.update_run(record.run_id, status="RUNNING")
        record.status = "RUNNING"
    if record.end is not None:
        for tag in ("kdbench.end", "kdbench.reason"):
            _delete_tag(client, record, tag)
        record.end = None


def _delete_tag(client: Any, record: Record, tag: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.delete_tag(record.run_id, tag)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _add_epochs(client: Any, record: Record, request: Request) -> None:
    """A run that has an epoch's number has all of it, so an epoch is not cut in two."""
    new = {epoch: record.epochs[epoch] for epoch in sorted(record.epochs) if epoch not in record.steps}
    if not new:
        return
    _reopen(client, record)  # an ended run that has news is running again
    for epoch, figures in new.items():
        request.add([(name, value, epoch) for name, value in {**figures, EPOCH: float(epoch)}.items()])
        record.steps.add(epoch)
    record.epochs_written = time.monotonic()


def _close(client: Any, record: Record, request: Request, closing: Closing) -> None:
    last = max(record.steps, default=0)
    again = closing.end is not None and record.end == closing.end
    figures: dict[str, tuple[float, int]] = {}
    for name, value in closing.summary.items():
        known = record.values.get(name)
        if known == value or (again and known is not None):
            continue
        if name in record.per_epoch:
            if closing.end in GOES_ON:
                continue  # the epochs tell it, and the next attempt will use the next step
            figures[name] = (value, last + 1)
        elif closing.end is None and known is not None:
            figures[name] = (value, len(client.get_metric_history(record.run_id, name)))
        else:
            figures[name] = (value, last)
    model = None
    if closing.end == "completed" and record.splits and record.model is None:
        model = open_model(client, record)
    request.add([(name, value, step) for name, (value, step) in figures.items()], model)
    if model is not None:
        request.send()
        _complete(client, record, model, {name for name in closing.summary if name not in figures}, last)
    if again:
        return
    if record.end is not None:
        _delete_tag(client, record, "kdbench.reason")  # of the end before
    request.tags = dict(closing.tags)
    if any(name.startswith("report/") for name in closing.summary):
        request.tags["kdbench.split"] = "report"
    if closing.reason is not None:
        request.tags["kdbench.reason"] = closing.reason
    if closing.end is not None:
        request.tags["kdbench.end"] = closing.end
        for path in closing.artifacts:
            log_file(client, record, path)
    request.send()
    client.set_terminated(record.run_id, status=closing.status)
    record.status, record.end = closing.status, closing.end


def _complete(client: Any, record: Record, model: str, before: set[str], last: int) -> None:
    """Give the model the figures that its run has from before, and name it in the run."""
    from mlflow.entities import Metric

    batch = []
    for name in sorted(before):
        split = measured_on(record, name)
        if split is not None and name in record.values:
            known = client.get_metric_history(record.run_id, name)[-1]  # the very same one: the run gets nothing twice
            batch.append(Metric(name, known.value, known.timestamp, known.step, model_id=model, **split))
    for some in chunks(batch, MOST_METRICS):
        client.log_batch(record.run_id, metrics=some)
    close_model(client, record, model, last)
    set_tags(client, str(record.run_id), {TAG: model})
    record.model = model
