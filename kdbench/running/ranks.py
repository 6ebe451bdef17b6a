"""A trial of several processes: the other ranks are actors in the trial's own placement group, so Ray counts them."""

from __future__ import annotations

import socket
from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from kdbench.running.payloads import read_job
from kdbench.training.callbacks import Outcome, TrainingCallback
from kdbench.training.job import Job, Rank
from kdbench.training.launch import run_rank


class _Other:
    """Rank 1 and up."""

    def run(self, payload: dict[str, Any], rank: int, world: int, init_method: str) -> str:
        job = read_job(payload)
        return run_rank(job, TrainingCallback(), Rank(rank, world), init_method, job.device).end


def train_ranks(job: Job, payload: dict[str, Any], callback: TrainingCallback) -> Outcome:
    """Rank 0 trains here in the trial's process, rank r in bundle r of the placement group."""
    world = job.recipe.schedule.gpus
    group = ray.util.get_current_placement_group()
    address = ray.util.get_node_ip_address()
    init_method = f"tcp://{address}:{_free_port(address)}"
    actor = ray.remote(_Other)
    others = [
        actor.options(
            num_cpus=payload["cpus"],
            num_gpus=payload["gpus"],
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank),
        ).remote()
        for rank in range(1, world)
    ]
    try:
        pending = [other.run.remote(payload, rank, world, init_method) for rank, other in enumerate(others, 1)]
        outcome = run_rank(job, callback, Rank(0, world), init_method, job.device)
        ray.get(pending)
        return outcome
    finally:
        for other in others:
            ray.kill(other)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
