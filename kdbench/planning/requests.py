"""What a user asked for, as it was given, and what of it words alone decide: no torch, no Ray, no mmdet, no MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from kdbench.detectors.digest import check_regular, local_file
from kdbench.errors import InputError, brief, did_you_mean
from kdbench.methods import registry
from kdbench.planning.addresses import check_cluster
from kdbench.planning.numbers import check_numbers
from kdbench.specs.base import Spec
from kdbench.specs.limits import MAX_BAD
from kdbench.specs.paths import writable
from kdbench.specs.space import SpaceSpec, load_space
from kdbench.specs.study import BASELINE, Algorithm, Allocation, Scheduler
from kdbench.specs.suite import RowSpec, SuiteSpec, load_suite
from kdbench.specs.task import TaskSpec, load_task
from kdbench.tracking.store import tracking_uri

ALL = "all"
"""In place of methods: every one that suits the task's detectors."""


class Request(Spec):
    """What `kdbench search` was asked for, as it was given.

    Attributes:
        methods: names of methods and presets, or `all`.
        space: files, each for the only method or as METHOD=FILE.
        sources: earlier studies to learn from.
    """

    methods: tuple[str, ...] = Field(min_length=1)
    task: str = "shapes"
    data_root: str | None = None
    max_bad: float = MAX_BAD
    name: str | None = None
    trials: int | None = None
    hours: float | None = None
    epochs: int | None = None
    seeds: int = 1
    finalists: int | None = None
    space: tuple[str, ...] = ()
    set: dict[str, Any] = {}
    algorithm: Algorithm = "optuna"
    scheduler: Scheduler = "none"
    allocate: Allocation | None = None
    prior: float = 0.5
    patience: int | None = None
    reuse: bool = True
    sources: tuple[str, ...] = ()
    concurrent: int | None = None
    cpus: float = 1
    gpus: float | None = None
    teacher: str = "train"
    tracking_uri: str | None = None
    seed: int = 0

    @field_validator("methods", "space", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given if given is not None else ()

    @property
    def arms(self) -> list[str]:
        """The names of the arms; those of `all` are only those that may suit the task."""
        return [name for name in registry.names() if name != BASELINE] if self.methods == (ALL,) else list(self.methods)

    def own(self, arm: str) -> dict[str, Any]:
        """What --set fixes of the method of an arm."""
        starts = (f"{arm}.", *(["method."] if len(self.arms) == 1 else []))
        return {
            key.removeprefix(start): value
            for key, value in self.set.items()
            for start in starts
            if key.startswith(start)
        }

    @property
    def of_task(self) -> dict[str, Any]:
        """What --set changes of the task."""
        starts = ("method.", *(f"{arm}." for arm in self.arms))
        return {key: value for key, value in self.set.items() if not key.startswith(starts)}

    def space_of(self, arm: str) -> str | None:
        """The file of an arm's search space, where one was given."""
        for given in reversed(self.space):
            name, equals, file = given.partition("=")
            if equals and name == arm:
                return file
            if len(self.arms) == 1 and not (equals and name in self.arms):
                return given
        return None


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


def read_words(request: Request) -> tuple[TaskSpec, dict[str, SpaceSpec]]:
    """Task and search spaces of a request, after a look that needs no library.

    Returns:
        The spaces by arm, without those of methods that their package alone knows.

    Raises:
        InputError: one line on what is wrong, where, and how to mend it.
    """
    check_numbers(request)
    check_arms(request)
    methods = {arm: registry.method_of(arm) for arm in request.arms}
    _check_keys(request, methods)
    task = load_task(request.task, request.of_task)
    if request.epochs:
        # The teacher keeps its own schedule: it is trained once and serves every study of the task.
        teacher_schedule = task.full_teacher_schedule().model_dump()
        update = {"schedule": task.schedule.with_epochs(request.epochs), "teacher_schedule": teacher_schedule}
        task = task.model_copy(update=update)
    spaces = {arm: load_space(method, request.space_of(arm)) for arm, method in methods.items() if method}
    check_weights(request.teacher, "--teacher")
    return task, spaces


def check_arms(request: Request) -> None:
    """See that methods, and what names them in other options, go together.

    Raises:
        InputError: says which does not.
    """
    names, arms = request.methods, request.arms
    if ALL in names and len(names) > 1:
        raise InputError(f"{ALL} means every method; name it alone, or name the methods")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"method {twice!r} is named twice; name it once")
    if BASELINE in names and len(names) > 1:
        raise InputError(f"{BASELINE} is the baseline, which every study has; leave it out")
    for given in request.space:
        name, equals, _ = given.partition("=")
        if equals and name not in arms and (len(arms) > 1 or _is_method(name)):
            raise InputError(f"--space {brief(given)[1:-1]}: no method {brief(name)} here; {did_you_mean(name, arms)}")
    if len(arms) == 1:
        return
    for key in request.set:
        if key.startswith("method."):
            own = f"{arms[0]}.{key.removeprefix('method.')}"
            raise InputError(f"--set {brief(key)[1:-1]}: there are several methods; say which, e.g. {own}")
    for given in request.space:
        if "=" not in given:
            raise InputError(f"--space {brief(given)[1:-1]}: there are several methods; say which, e.g. {arms[0]}=FILE")


def _is_method(name: str) -> bool:
    """Whether a method or a preset is called so, as far as names tell: `fgd=x.yaml` is hardly a file's name."""
    return name in registry.names() or name in registry.PRESETS


def _check_keys(request: Request, methods: dict[str, str | None]) -> None:
    """Say of a --set that is a method's where it has to stand; what else the task does not know, the task says.

    Args:
        methods: of the arms, where they are known without importing them.

    Raises:
        InputError: it is of a method that is not named, or names none.
    """
    for key in request.of_task:
        first, dot, _ = key.partition(".")
        if first in TaskSpec.model_fields:
            continue
        if dot and _is_method(first):
            raise InputError(f"--set {brief(key)[1:-1]}: no method {first!r} here; {did_you_mean(first, request.arms)}")
        owner = next((arm for arm, method in methods.items() if method and key in load_space(method).params), None)
        if owner is not None:
            own = "method" if len(methods) == 1 else owner
            raise InputError(f"--set {key}: is no key of the task but a method's parameter; write {own}.{key}")


def check_place(storage: Path, uri: str | None, address: str | None) -> None:
    """See that the storage folder can be written, that the tracking URI is one, and that Ray answers or can be started.

    Raises:
        InputError: says which is not.
    """
    writable(storage)
    tracking_uri(storage, uri)
    check_cluster(address)


def check_weights(source: str, option: str) -> None:
    """See that a file of weights is one; "train" and what the web has are not looked at.

    Raises:
        InputError: there is no such file, it is no regular one, or it is an address that nothing is fetched from.
    """
    where = f"{option}: {brief(source, 200)[1:-1]}"
    file = None if source == "train" else local_file(source, where)
    if file is not None:
        check_regular(file, where)


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
