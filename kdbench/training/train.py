"""Train one recipe in this process (or as one rank of several): build, resume, run, report."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.errors import Infeasible, InputError
from kdbench.specs.recipe import Recipe
from kdbench.training.callbacks import Evaluation, Outcome, TrainingCallback

if TYPE_CHECKING:
    from kdbench.data import Prepared


@dataclass(frozen=True)
class Job:
    """A recipe with everything that depends on the machine.

    Attributes:
        workdir: the checkpoint, the log and the exported config are written here.
        teacher_weights: file of the teacher's weights; None for a method that needs no teacher.
        device: "cpu", "cuda" or "auto".
        threads: torch threads of each process; 0 leaves torch's own choice.
        report: measure the report split too, once, at the end.
    """

    recipe: Recipe
    data: Prepared
    workdir: Path
    teacher_weights: Path | None = None
    device: str = "auto"
    threads: int = 0
    report: bool = False


@dataclass(frozen=True)
class Rank:
    """Which of several processes this is."""

    rank: int = 0
    world: int = 1


def train_rank(job: Job, callback: TrainingCallback, rank: Rank) -> Outcome:
    """Train in this process; with several ranks their process group must be up already.

    Resumes from the checkpoint in the work folder if there is one. Infeasible recipes come back as an outcome;
    other exceptions are bugs or wrong input and are raised.
    """
    import torch

    from kdbench import ops

    ops.install()
    if job.threads:
        torch.set_num_threads(job.threads)
    trainer = None
    try:
        with _log(job.workdir, rank) as logger:
            from kdbench.training.trainer import Trainer

            trainer = Trainer(job, callback, rank, logger)
            try:
                return trainer.run()
            except Infeasible as error:
                return trainer.outcome("infeasible", str(error))
            except torch.cuda.OutOfMemoryError:
                free = f"{torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB"
                return trainer.outcome(
                    "infeasible",
                    f"does not fit in the memory of the GPU ({free}); lower samples_per_gpu or the image scale",
                )
    finally:
        del trainer
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def train(job: Job, callback: TrainingCallback | None = None) -> Outcome:
    """Train a recipe without Ray: in this process, or in `gpus` processes of this machine.

    Example:
        >>> outcome = train(Job(recipe, data, Path("work")))
        >>> outcome.summary["best/mAP"]
    """
    job.workdir.mkdir(parents=True, exist_ok=True)
    callback = callback or TrainingCallback()
    if job.recipe.schedule.gpus == 1:
        return train_rank(job, callback, Rank())
    from kdbench.training.launch import train_processes

    return train_processes(job, callback)


def check_device(recipe: Recipe, device: str) -> str:
    """Resolve "auto" and refuse what this machine cannot do.

    Raises:
        InputError: CUDA asked for and not there, too few GPUs, mixed precision on the CPU.
    """
    import torch

    cuda = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if cuda else "cpu"
    if device == "cuda" and not cuda:
        raise InputError("device cuda: torch finds no GPU here; use --device cpu")
    if device == "cpu" and recipe.schedule.fp16:
        raise InputError("schedule.fp16: mixed precision needs a GPU; set schedule.fp16=false")
    return device


@contextmanager
def _log(workdir: Path, rank: Rank) -> Iterator[logging.Logger]:
    """A logger of its own for this training: rank 0 appends to log.txt. Handlers go when the training ends."""
    logger = logging.Logger(f"kdbench.{workdir.name}.{rank.rank}")
    handlers: list[logging.Handler] = []
    if rank.rank == 0:
        workdir.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(workdir / "log.txt", encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(file)
    else:
        handlers.append(logging.NullHandler())
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield logger
    finally:
        for handler in handlers:
            handler.close()
            logger.removeHandler(handler)


def history_of(checkpoint: dict[str, Any]) -> list[Evaluation]:
    """The evaluations that a checkpoint remembers."""
    return [Evaluation(**entry) for entry in checkpoint["history"]]
