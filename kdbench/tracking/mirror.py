"""Keeping MLflow equal to the driver's records, also over the time that a server is away."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from kdbench.tracking import runs, store
from kdbench.tracking.client import one_line, shown
from kdbench.tracking.names import matching
from kdbench.tracking.push import push
from kdbench.tracking.record import Record

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds without asking after a failure; doubled with each one."""
AGAIN = 1.0
"""Seconds between two writings into one run; epochs that come sooner wait for the next."""
FAILURES = 2
"""In a row, after which the server is taken to be away and the rest waits."""

log = logging.getLogger("kdbench.tracking")


class Mirror:
    """The records of one driver, by key.

    Attributes:
        problem: why MLflow lacks something; None when it lacks nothing.
    """

    def __init__(self, uri: str, storage: Path) -> None:
        self.uri, self.storage = uri, storage
        self.problem: str | None = None
        self.records: dict[str, Record] = {}
        self._client = store.prepare(uri, storage)
        self._experiments: dict[str, str] = {}
        self._pause, self._silent_until = 0.0, 0.0

    def write(self, record: Record, *, at_once: bool = False) -> None:
        """Write the record and whatever else is missing. No error leaves this method.

        Args:
            at_once: ask the server even if it failed a moment ago.
        """
        if time.monotonic() < self._silent_until and not at_once:
            return
        waiting = [other for other in self.records.values() if other.missing and other is not record]
        failures: list[Exception] = []
        for one in [record, *waiting]:
            try:
                self._bring_up(one)
            except Exception as error:  # a tracking error never ends a training
                self._forget(one)
                failures.append(error)
                if len(failures) == FAILURES:
                    break
        if failures:
            self._failed(failures[0])
        else:
            self.problem, self._pause = None, 0.0

    def write_epochs(self, record: Record) -> None:
        """The same, but not for every one of the epochs that follow each other at once."""
        if time.monotonic() >= record.epochs_written + AGAIN:
            self.write(record)

    def forget(self, key: str) -> None:
        """A run that has all and goes on no further need not be known: whoever asks for it finds it by its tags."""
        if not self.records[key].missing:
            del self.records[key]

    def attach(self, record: Record, path: Path) -> None:
        """Add a file to a run. No error leaves this method, and nothing is kept for later."""
        if record.run_id is None:
            log.warning("MLflow lacks the run of %s, so %s is not stored there", record.name, path.name)
        else:
            runs.log_file(self._client, record, path)

    def _failed(self, error: Exception) -> None:
        problem = f"MLflow at {shown(self.uri)}: {one_line(error)}"
        if self.problem is None:
            log.warning("%s; the training goes on, and what is missing is written later", problem)
        self.problem = problem
        self._pause = min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)
        self._silent_until = time.monotonic() + self._pause

    def _forget(self, record: Record) -> None:
        """After a failure nobody knows how much of it arrived: look again, next time. The run may be gone, too."""
        record.run_id = None
        record.steps.clear()
        record.values.clear()
        self._experiments.clear()

    def _bring_up(self, record: Record) -> None:
        if record.run_id is None:
            parent = self.records[record.parent] if record.parent else None
            if parent is not None and parent.run_id is None:
                self._bring_up(parent)
            self._find(record, parent.run_id if parent else None)
        push(self._client, record)

    def _find(self, record: Record, parent: str | None) -> None:
        if record.task not in self._experiments:
            location = store.artifact_location(self.uri, self.storage, record.task)
            self._experiments[record.task] = runs.experiment(self._client, record.task, location)
        place = self._experiments[record.task]
        oldest = ["attributes.start_time ASC"]
        found = self._client.search_runs([place], matching(record.identity), max_results=1, order_by=oldest)
        if found:
            runs.adopt(self._client, record, found[0], parent)
        else:
            runs.make(self._client, record, place, parent)
