"""Train one recipe on this machine, without Ray."""

from __future__ import annotations

from kdbench.training.callbacks import Outcome, TrainingCallback
from kdbench.training.job import Job, Rank
from kdbench.training.rank import train_rank


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
