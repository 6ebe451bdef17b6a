"""Several processes for one recipe on this machine, without Ray: one for each GPU, or gloo processes on the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from kdbench.errors import InputError, RunError
from kdbench.training.callbacks import Outcome, TrainingCallback
from kdbench.training.job import Job, Rank, check_device
from kdbench.training.rank import train_rank


@contextmanager
def process_group(rank: Rank, init_method: str, device: str) -> Iterator[None]:
    """A process group for the length of a block: nccl on GPUs, gloo on the CPU."""
    backend = "nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(
        backend, init_method=init_method, rank=rank.rank, world_size=rank.world, timeout=timedelta(minutes=30)
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def train_processes(job: Job, callback: TrainingCallback) -> Outcome:
    """Rank 0 runs here, the others in spawned processes; all end when one fails."""
    device = check_device(job.recipe, job.device)
    world = job.recipe.schedule.gpus
    if device == "cuda" and world > torch.cuda.device_count():
        raise InputError(f"schedule.gpus: {world} asked for, this machine has {torch.cuda.device_count()}")
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = f"file://{Path(folder) / 'rendezvous'}"
        context: Any = torch.multiprocessing.spawn(
            _other_rank, args=(job, world, rendezvous, device), nprocs=world - 1, join=False
        )
        try:
            outcome = run_rank(job, callback, Rank(0, world), rendezvous, device)
            context.join()
            return outcome
        except torch.multiprocessing.ProcessRaisedException as error:
            raise RunError(f"a training process failed: {str(error).strip().splitlines()[-1]}") from error
        finally:
            for process in context.processes:
                if process.is_alive():
                    process.terminate()


def run_rank(job: Job, callback: TrainingCallback, rank: Rank, init_method: str, device: str) -> Outcome:
    """One rank, inside its process group."""
    if device == "cuda":
        torch.cuda.set_device(rank.rank % torch.cuda.device_count())
    with process_group(rank, init_method, device):
        return train_rank(job, callback, rank)


def _other_rank(index: int, job: Job, world: int, init_method: str, device: str) -> None:
    run_rank(job, TrainingCallback(), Rank(index + 1, world), init_method, device)
