"""Two processes that train together, for tests."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import distributed, multiprocessing

from kdbench.methods.base import Method
from kdbench.testing import detectors, training
from kdbench.training.distiller import DistributedDistiller


def run_processes(
    method: str | type[Method], params: dict[str, Any], families: tuple[Any, ...], folder: str, equal_channels: bool
) -> None:
    """Two gloo processes train two steps on different images and must end with equal students.

    Raises:
        Exception: what went wrong in one of the processes.
    """
    # One server imports mmdet, slowly, once; the processes of all tests are forked from it.
    torch.multiprocessing.get_context("forkserver").set_forkserver_preload(["kdbench.testing.warm"])
    arguments = (method, params, families, folder, equal_channels)
    multiprocessing.start_processes(_process, arguments, nprocs=2, start_method="forkserver")


def _process(
    rank: int, method: Any, params: dict[str, Any], families: tuple[Any, ...], folder: str, equal_channels: bool
) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    try:
        for family in families:
            distiller = training.build_distiller(method, params, family, equal_channels=equal_channels)
            model = DistributedDistiller(distiller, broadcast_buffers=False)
            logs = training.train(model, [detectors.batch(seed=10 * rank + step) for step in range(2)], "SGD")
            check = torch.cat([p.detach().flatten() for p in model.parameters()])
            figures: list[Any] = [None, None]
            distributed.all_gather_object(figures, (check, logs))
            if not torch.equal(figures[0][0], figures[1][0]) or figures[0][1] != figures[1][1]:
                raise AssertionError(f"{family}: the two processes ended with different weights or logs")
            if not torch.isfinite(check).all():
                raise AssertionError(f"{family}: weights are not finite")
    finally:
        distributed.destroy_process_group()
