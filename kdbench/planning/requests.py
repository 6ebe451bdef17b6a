"""What a user asked for, as it was given, and what of it words alone decide: no torch, no Ray, no mmdet, no MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.detectors.digest import check_regular
from kdbench.errors import InputError, brief, did_you_mean
from kdbench.methods import registry
from kdbench.planning.addresses import check_cluster
from kdbench.planning.numbers import check_numbers
from kdbench.specs.base import Spec
from kdbench.specs.limits import MAX_BAD
from kdbench.specs.paths import writable
from kdbench.specs.space import SpaceSpec, load_space
from kdbench.specs.study import Algorithm, Scheduler
from kdbench.specs.suite import RowSpec, SuiteSpec, load_suite
from kdbench.specs.task import TaskSpec, load_task
from kdbench.tracking.store import tracking_uri


class Request(Spec):
    """What `kdbench search` was asked for, as it was given."""

    method: str
    task: str = "shapes"
    data_root: str | None = None
    max_bad: float = MAX_BAD
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
    max_bad: float = MAX_BAD
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


def read_suite_words(request: SuiteRequest) -> tuple[SuiteSpec, list[RowSpec]]:
    """The suite and its rows, after a look at everything that needs no library.

    Raises:
        InputError: one line on what is wrong.
    """
    check_numbers(request)
    spec = load_suite(request.suite)
    try:
        grade = spec.grade(request.grade)
    except KeyError as error:
        raise InputError(f"--grade: {error.args[0]}") from None
    chosen = _chosen(spec, request.rows)
    for row in chosen:
        registry.method_of(row.method)
        load_task(row.task or str(spec.task), {**row.set, **grade.set, **request.set})
    for task, source in given_teachers(request.teacher).items():
        check_weights(source, f"--teacher {task}=" if task else "--teacher")
    return spec, chosen


def _chosen(spec: SuiteSpec, wanted: tuple[str, ...]) -> list[RowSpec]:
    table = {row.id: row for row in spec.table()}
    for name in wanted:
        if name not in table:
            raise InputError(
                f"--rows {brief(name)[1:-1]}: suite {spec.name} has no such row; {did_you_mean(name, table)}"
            )
    return [row for name, row in table.items() if not wanted or name in wanted]


def given_teachers(given: tuple[str, ...]) -> dict[str, str]:
    """Task -> source; "" is for every task."""
    found = {}
    for text in given:
        task, equals, source = text.partition("=")
        is_pair = bool(equals) and "://" not in task
        found[task if is_pair else ""] = source if is_pair else text
    return found
