"""The one writer of a study: the driver's `Tracker`. It is idempotent, and it never ends a training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kdbench.errors import did_you_mean
from kdbench.tracking.datasets import Split
from kdbench.tracking.mirror import Mirror
from kdbench.tracking.names import LONGEST_TAG, flatten, metrics, shorten
from kdbench.tracking.record import GOES_ON, STATUS, Closing, Record
from kdbench.tracking.store import tracking_uri

log = logging.getLogger("kdbench.tracking")


class Tracker:
    """Writes runs into MLflow.

    Runs are found by their tags, so a second process goes on with the first one's. What a server that is away misses
    is kept and written when it answers again; `problem` says what is wrong until then. A run that has ended (other than
    as lost) goes back to RUNNING only when an epoch arrives that it does not have.

    Raises:
        InputError: nothing answers at the URI. The methods raise no tracking errors.

    Example:
        >>> tracker = Tracker(tracking_uri(storage), storage)
        >>> tracker.open_study("shapes", "first", tags={"kdbench.method": "defeat"}, params={"trials": 6})
        >>> key = tracker.open_trial("shapes", "first", "defeat-000", method="defeat", recipe=recipe, ...)
        >>> tracker.log_epoch(key, 1, {"val/mAP": 0.2})
        >>> tracker.close(key, "completed", summary={"best/mAP": 0.2}, reason=None, artifacts=[])
    """

    def __init__(self, uri: str, storage: Path) -> None:
        self._mirror = Mirror(uri, storage)

    @property
    def problem(self) -> str | None:
        """Why MLflow lacks something, in one line; None when it lacks nothing."""
        return self._mirror.problem

    def open_study(
        self,
        task: str,
        study: str,
        *,
        tags: dict[str, str],
        params: dict[str, Any],
        splits: tuple[Split, ...] = (),
    ) -> str:
        """The study's parent run."""
        identity = {"kdbench.kind": "study", "kdbench.task": task, "kdbench.study": study}
        return self._open(Record(task, study, identity, _tags(tags), flatten(params), splits=splits))

    def open_trial(
        self,
        task: str,
        study: str,
        trial: str,
        *,
        method: str,
        recipe: dict[str, Any],
        recipe_hash: str,
        config_hash: str,
        seed: int,
        teacher: str | None,
        stage: str,
        tags: dict[str, str],
        splits: tuple[Split, ...] = (),
    ) -> str:
        """The run of a trial, under its study's; returns the key that the other methods take."""
        if _key("study", task, study) not in self._mirror.records:
            self.open_study(task, study, tags={}, params={})
        identity = {"kdbench.kind": "trial", "kdbench.task": task, "kdbench.study": study, "kdbench.trial": trial}
        own = {"method": method, "recipe": recipe_hash, "config": config_hash, "seed": seed}
        more = {"teacher": teacher, "stage": stage, "split": "search"}
        described = {**tags, **{f"kdbench.{name}": value for name, value in {**own, **more}.items()}}
        parent = _key("study", task, study)
        return self._open(Record(task, trial, identity, _tags(described), flatten(recipe), recipe, parent, splits))

    def open_teacher(
        self,
        task: str,
        teacher_id: str,
        *,
        recipe: dict[str, Any],
        recipe_hash: str,
        seed: int,
        splits: tuple[Split, ...] = (),
    ) -> str:
        """The run of a teacher's training. Studies of a task share it."""
        identity = {"kdbench.kind": "teacher", "kdbench.task": task, "kdbench.teacher": teacher_id}
        tags = _tags({"kdbench.recipe": recipe_hash, "kdbench.seed": seed, "kdbench.split": "search"})
        name = f"teacher-{teacher_id}"
        return self._open(Record(task, name, identity, tags, flatten(recipe), recipe, splits=splits))

    def log_epoch(self, run_key: str, epoch: int, figures: dict[str, float]) -> None:
        """The metrics of an epoch, step = epoch. One that the run has already changes nothing."""
        record, clean = self._record(run_key), metrics(figures)
        record.per_epoch |= clean.keys()
        if epoch not in record.steps:
            record.epochs.setdefault(epoch, clean)
            record.closing = None  # an end that is still to be written is not the end
            self._mirror.write_epochs(record)

    def close(
        self, run_key: str, end: str, *, summary: dict[str, float], reason: str | None, artifacts: list[Path]
    ) -> None:
        """The end of a trial or a teacher, as one of the five end states, with its final figures and files."""
        if end not in STATUS:
            raise ValueError(f"{end!r} is no end state; {did_you_mean(end, STATUS)}")
        record = self._record(run_key)
        text = shorten(reason, LONGEST_TAG) if reason is not None else None
        record.closing = Closing(STATUS[end], end, text, metrics(summary), artifacts)
        self._mirror.write(record)
        if end not in GOES_ON:
            self._mirror.forget(run_key)

    def interrupt(self, run_key: str) -> None:
        """The driver stops; the run has no end and will be resumed."""
        record = self._record(run_key)
        if record.end is None:  # trained again, but without news so far: what it ended as stays
            record.closing = Closing("KILLED")
            self._mirror.write(record, at_once=True)

    def close_study(
        self, task: str, study: str, *, summary: dict[str, float], status: str, tags: dict[str, str] | None = None
    ) -> None:
        """The end of the parent run, and the last chance to write what the server missed."""
        record = self._record(_key("study", task, study))
        record.closing = Closing(status, summary=metrics(summary), tags=_tags(tags or {}))
        self._mirror.write(record, at_once=True)
        if self.problem:
            log.warning("%s; the study's folder has what is missing, and `kdbench resume` writes it", self.problem)

    def attach(self, task: str, study: str, path: Path) -> None:
        """Add a file to the study's run, in place of one of the same name. What goes wrong is told in one line."""
        self._mirror.attach(self._record(_key("study", task, study)), path)

    def _open(self, record: Record) -> str:
        key = _key(*record.identity.values())
        known = self._mirror.records.setdefault(key, record)
        if known.status != "RUNNING" and known.closing is None:
            known.wants_running = True
            self._mirror.write(known)
        return key

    def _record(self, key: str) -> Record:
        records = self._mirror.records
        if key not in records:
            raise ValueError(f"no run {key!r} was opened; {did_you_mean(key, records)}")
        return records[key]


def _key(*parts: str) -> str:
    return "/".join(parts)


def _tags(tags: dict[str, Any]) -> dict[str, str]:
    return {name: shorten(str(value), LONGEST_TAG) for name, value in tags.items() if value is not None}


def open_tracker(uri: str | None, storage: Path) -> Tracker:
    """The writer of runs, at the storage folder's own database where no URI is given.

    Raises:
        InputError: nothing answers there.
    """
    return Tracker(tracking_uri(storage, uri), storage)
