"""What a user asked for, as it was given, and what of it words alone decide: no torch, no Ray, no mmdet, no MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.detectors.digest import check_regular
from kdbench.errors import brief
from kdbench.methods import registry
from kdbench.planning.addresses import check_cluster
from kdbench.planning.numbers import check_numbers
from kdbench.specs.base import Spec
from kdbench.specs.paths import writable
from kdbench.specs.space import SpaceSpec, load_space
from kdbench.specs.study import Algorithm, Scheduler
from kdbench.specs.task import TaskSpec, load_task
from kdbench.tracking.store import tracking_uri


class Request(Spec):
    """What `kdbench search` was asked for, as it was given."""

    method: str
    task: str = "shapes"
    data_root: str | None = None
    name: str | None = None
    trials: int | None = None
    epochs: int | None = None
    seeds: int = 1
    space: str | None = None
    set: dict[str, Any] = {}
    algorithm: Algorithm = "optuna"
    scheduler: Scheduler = "none"
    concurrent: int | None = None
    cpus: float = 1
    gpus: float | None = None
    teacher: str = "train"
    tracking_uri: str | None = None
    seed: int = 0

    @property
    def own(self) -> dict[str, Any]:
        """What --set fixes of the method."""
        return {k.removeprefix("method."): v for k, v in self.set.items() if k.startswith("method.")}


class SuiteRequest(Spec):
    """What `kdbench bench` was asked for, as it was given."""

    suite: str
    grade: str = "full"
    seeds: int | None = None
    rows: tuple[str, ...] = ()
    name: str | None = None
    data_root: str | None = None
    set: dict[str, Any] = {}
    teacher: tuple[str, ...] = ()
    concurrent: int | None = None
    cpus: float = 1
    gpus: float | None = None
    tracking_uri: str | None = None
    seed: int = 0


def read_words(request: Request) -> tuple[TaskSpec, SpaceSpec | None]:
    """Task and search space of a request (None: its package alone knows the method), after a look that needs no library.

    Raises:
        InputError: one line on what is wrong, where, and how to mend it.
    """
    check_numbers(request)
    method = registry.method_of(request.method)
    changes = {k: v for k, v in request.set.items() if not k.startswith("method.")}
    task = load_task(request.task, changes)
    if request.epochs:
        # The teacher keeps its own schedule: it is trained once and serves every study of the task.
        teacher_schedule = task.full_teacher_schedule().model_dump()
        update = {"schedule": task.schedule.with_epochs(request.epochs), "teacher_schedule": teacher_schedule}
        task = task.model_copy(update=update)
    space = load_space(method, request.space) if method else None
    check_weights(request.teacher, "--teacher")
    return task, space


def check_place(storage: Path, uri: str | None, address: str | None) -> None:
    """See that the storage folder can be written, that the tracking URI is one, and that Ray answers or can be started.

    Raises:
        InputError: says which is not.
    """
    writable(storage)
    tracking_uri(storage, uri)
    check_cluster(address)


def check_weights(source: str, option: str) -> None:
    """See that a file of weights is one; "train" and URLs are not looked at.

    Raises:
        InputError: there is no such file, or it is no regular one.
    """
    if source == "train" or "://" in source:
        return
    check_regular(Path(source), f"{option}: {brief(source, 200)[1:-1]}")
