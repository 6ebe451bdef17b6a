"""One recipe without Ray: `kdbench train`. Tracked in MLflow like a trial without a study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kdbench.data import Prepared, prepare
from kdbench.detectors import configs, teachers
from kdbench.errors import InputError, RunError
from kdbench.planning.requests import check_weights
from kdbench.planning.resolving import look_at_models, resolve_method
from kdbench.planning.telling import lines
from kdbench.planning.trying import Attempts
from kdbench.running.inputs import splits_of
from kdbench.search.finding import SINGLE, record_single
from kdbench.specs.base import load_yaml
from kdbench.specs.limits import MAX_BAD
from kdbench.specs.paths import storage_folder, writable
from kdbench.specs.recipe import Recipe, TeacherRef, task_recipe, teacher_recipe
from kdbench.specs.short_recipe import ShortRecipe
from kdbench.specs.task import TaskSpec, data_folder, load_task
from kdbench.tracking.datasets import Split
from kdbench.training import checkpoints
from kdbench.training.callbacks import Evaluation, Outcome, TrainingCallback
from kdbench.training.job import Job, check_device
from kdbench.training.train import train


@dataclass(frozen=True)
class Options:
    """Everything of `kdbench train` beside the recipe."""

    data_root: str | None = None
    storage: str | None = None
    tracking_uri: str | None = None
    teacher: str | None = None
    device: str = "auto"
    threads: int = 0
    report: bool = False
    track: bool = True
    max_bad: float = MAX_BAD


def train_file(file: str, options: Options) -> Outcome:
    """Train the recipe of a file; its teacher first, if the store lacks it.

    Raises:
        InputError: the file or what it names is wrong.
        RunError: the training ended as infeasible.
    """
    storage = storage_folder(options.storage)
    raw = load_yaml(Path(file))
    if not isinstance(raw, dict):
        raise InputError(f"{file}: a recipe has keys and values, e.g. 'task: shapes'")
    writable(storage)
    if options.teacher:
        check_weights(options.teacher, "--teacher")
    root = Path(options.data_root).expanduser().absolute() if options.data_root else None
    told: list[str] = []
    master: Recipe | None = None  # the teacher's, where it has to be trained first
    if "version" in raw:
        recipe = Recipe.parse(raw, file)
        data = prepare(recipe.dataset, storage, root, options.max_bad)
    else:
        short = ShortRecipe.parse(raw, file)
        task = load_task(short.task, short.set)
        root = data_folder(options.data_root, task)
        options = replace(options, data_root=str(root) if root else None)
        recipe, data = _resolve(short, task, file, storage, root, options)
        own = teacher_recipe(task)
        if recipe.teacher and recipe.teacher.id == own.hash and not teachers.sound(storage, own.hash, told.append):
            master = own
    for line in (*told, *lines([data], configs.notes(recipe.detectors))):
        Console(stderr=True).print(line, highlight=False, soft_wrap=True, markup=False, emoji=False)
    weights = None if master else teachers.require(storage, recipe.teacher)
    _try(recipe, master, data, storage, options)
    if master is not None:
        _train_teacher(master, data, storage, options)
        weights = teachers.require(storage, recipe.teacher)
    return _train(recipe, data, weights, storage / "runs" / recipe.hash, storage, options)


def _resolve(
    short: ShortRecipe, task: TaskSpec, file: str, storage: Path, root: Path | None, options: Options
) -> tuple[Recipe, Prepared]:
    data = prepare(task.dataset, storage, root, options.max_bad)
    resolved = resolve_method(short.method, short.params, look_at_models(task, data.classes), f"{file}, params")
    reference: TeacherRef | None = None
    if resolved.needs_teacher and options.teacher:
        reference = teachers.given_teacher(storage, task, options.teacher, tuple(data.classes))
    elif resolved.needs_teacher:
        reference = teachers.trained_teacher(task)
    return task_recipe(task, resolved.method.name, resolved.params, short.training, reference, short.seed), data


def _try(recipe: Recipe, master: Recipe | None, data: Prepared, storage: Path, options: Options) -> None:
    """Take a real step of each training that has not come to a checkpoint before.

    Raises:
        InputError: one fails, or this machine has not what it needs; nothing has been trained.
    """
    attempts = Attempts()
    for one, role in ((recipe, "student"), (master, "teacher")):
        if one is None:
            continue
        check_device(one, options.device)
        if not (storage / "runs" / one.hash / checkpoints.FILE).is_file():
            attempts(one, data, role, teacher_too=master is None)


def _train_teacher(recipe: Recipe, data: Prepared, storage: Path, options: Options) -> None:
    workdir = storage / "runs" / recipe.hash
    outcome = _train(recipe, data, None, workdir, storage, options, teacher=True)
    content = {"source": "trained", "recipe": recipe.plain(), "summary": outcome.summary}
    teachers.publish(storage, recipe.hash, workdir / "student.pth", content)


def _train(
    recipe: Recipe,
    data: Prepared,
    weights: Path | None,
    workdir: Path,
    storage: Path,
    options: Options,
    *,
    teacher: bool = False,
) -> Outcome:
    tracker, key = None, ""
    if options.track:
        from kdbench.tracking.writer import open_tracker

        tracker = open_tracker(options.tracking_uri, storage)
        key = _open(tracker, recipe, teacher, splits_of(recipe.dataset, data))
    workdir.mkdir(parents=True, exist_ok=True)
    what = "teacher" if teacher else recipe.method.name
    with Bar(f"{what} {recipe.hash}", recipe.metric, tracker, key) as bar:
        job = Job(recipe, data, workdir, weights, options.device, options.threads, options.report)
        try:
            outcome = train(job, bar)
        except KeyboardInterrupt:
            if tracker:
                tracker.interrupt(key)
            raise
    root = Path(options.data_root).expanduser().absolute() if options.data_root else None
    content = {"end": outcome.end, "reason": outcome.reason, "summary": outcome.summary}
    reports = {str(entry.epoch): entry.metrics for entry in outcome.history}
    record_single(workdir, recipe, root, {**content, "reports": reports}, data=data.content, teacher=teacher)
    if tracker:
        artifacts = [path for path in (workdir / "mmdet_config.py", workdir / "log.txt") if path.is_file()]
        tracker.close(key, outcome.end, summary=outcome.summary, reason=outcome.reason, artifacts=artifacts)
    if outcome.end != "completed":
        raise RunError(f"{what} {recipe.hash} is {outcome.end}: {outcome.reason}")
    return outcome


def _open(tracker: Any, recipe: Recipe, teacher: bool, splits: tuple[Split, ...]) -> str:
    if teacher:
        key: str = tracker.open_teacher(
            recipe.task, recipe.hash, recipe=recipe.plain(), recipe_hash=recipe.hash, seed=recipe.seed, splits=splits
        )
        return key
    tracker.open_study(recipe.task, SINGLE, tags={}, params={})
    key = tracker.open_trial(
        recipe.task,
        SINGLE,
        recipe.hash,
        method=recipe.method.name,
        recipe=recipe.plain(),
        recipe_hash=recipe.hash,
        config_hash=recipe.config_hash,
        seed=recipe.seed,
        teacher=recipe.teacher.id if recipe.teacher else None,
        stage="train",
        tags={},
        splits=splits,
    )
    return key


class Bar(TrainingCallback):
    """A progress bar on stderr, and the tracker's epochs where there is one."""

    def __init__(self, title: str, metric: str, tracker: Any = None, key: str = "") -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=Console(stderr=True, markup=False, emoji=False))
        self.title, self.metric, self.tracker, self.key = title, metric, tracker, key
        self.task = self.bar.add_task(title, total=None)

    def __enter__(self) -> Bar:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def on_iteration(self, iteration: int, max_iterations: int, terms: dict[str, float]) -> None:
        self.bar.update(self.task, completed=iteration, total=max_iterations)

    def on_note(self, text: str) -> None:
        self.bar.console.print(f"{self.title}: {text}", highlight=False, soft_wrap=True)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        if self.tracker:
            self.tracker.log_epoch(self.key, evaluation.epoch, evaluation.metrics)
        loss = evaluation.metrics["train/loss"]
        figures = f"epoch {evaluation.epoch}, {self.metric} {evaluation.value:.3f}, loss {loss:.3f}"
        self.bar.update(self.task, description=f"{self.title}: {figures}")
        if not self.bar.console.is_terminal:
            self.bar.console.print(f"{self.title}: {figures}", highlight=False, soft_wrap=True)
