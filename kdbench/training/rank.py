"""Train one recipe in this process, which may be one rank of several: build, resume, run, report."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdbench.errors import Infeasible
from kdbench.training.callbacks import Outcome, TrainingCallback
from kdbench.training.job import Job, Rank


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
