"""Two processes that train together, for tests."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import distributed, multiprocessing

from kdbench.data import batches
from kdbench.methods.base import Method
from kdbench.testing import detectors, training
from kdbench.training.distiller import Distiller, DistributedDistiller


@dataclass(frozen=True)
class Spec:
    """What the two processes train; the fields are those of `MethodContract`."""

    method: str | type[Method]
    params: dict[str, Any]
    families: tuple[detectors.Family, ...]
    equal_channels: bool = False
    doubled_batch: Literal["images", "batch"] | None = "batch"
    doubled_params: dict[str, Any] | None = None

    def distiller(self, family: detectors.Family, params: dict[str, Any]) -> Distiller:
        return training.build_distiller(self.method, params, family, equal_channels=self.equal_channels)


def run_processes(spec: Spec, folder: str) -> None:
    """Two gloo processes must agree: with each other after steps on different images, and with one that has both batches.

    Raises:
        Exception: what went wrong in one of the processes.
    """
    # One server imports mmdet, slowly, once; the processes of all tests are forked from it.
    torch.multiprocessing.get_context("forkserver").set_forkserver_preload(["kdbench.testing.warm"])
    multiprocessing.start_processes(_process, (spec, folder), nprocs=2, start_method="forkserver")


def _process(rank: int, spec: Spec, folder: str) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    try:
        for family in spec.families:
            _train(spec, family, rank)
            if spec.doubled_batch:
                _compare_with_one(spec, family, rank)
    finally:
        distributed.destroy_process_group()


def _train(spec: Spec, family: detectors.Family, rank: int) -> None:
    masks = detectors.has_masks(family)
    model = DistributedDistiller(spec.distiller(family, spec.params), broadcast_buffers=False)
    data = [detectors.batch(seed=10 * rank + step, masks=masks) for step in range(2)]
    logs = training.train(model, data, "SGD")
    check = torch.cat([p.detach().flatten() for p in model.parameters()])
    figures: list[Any] = [None, None]
    distributed.all_gather_object(figures, (check, logs))
    if not torch.equal(figures[0][0], figures[1][0]) or figures[0][1] != figures[1][1]:
        raise AssertionError(f"{family}: the two processes ended with different weights or logs")
    if not torch.isfinite(check).all():
        raise AssertionError(f"{family}: weights are not finite")


def _compare_with_one(spec: Spec, family: detectors.Family, rank: int) -> None:
    """The gradient of the method's terms: both processes' mean against one process with both batches."""
    distiller = spec.distiller(family, spec.params if spec.doubled_params is None else spec.doubled_params)
    if not distiller.method.taps():
        return
    masks, same = detectors.has_masks(family), spec.doubled_batch == "batch"
    data = [
        detectors.batch((2, 3), masks=masks),
        detectors.batch((2, 3) if same else (1, 4), seed=0 if same else 7, masks=masks),
    ]
    together = training.terms_gradient(DistributedDistiller(distiller, broadcast_buffers=False), distiller, data[rank])
    alone = training.terms_gradient(distiller, distiller, batches.joined(data))
    largest = max(float(value.abs().max()) for value in alone.values())
    if largest == 0:
        raise AssertionError(f"{family}: the terms have no gradient")
    for name, value in alone.items():
        # Sums in another order: elements that cancel are compared on the scale of the parameter's own gradient, and where
        # all of them do (a bias before a norm) on that of the largest one; how much is left of them differs between CPUs.
        scale = float(value.abs().max())
        training.check_close(together[name], value, f"{family}, {name}", 1e-3, 1e-3 * scale + 1e-6 * largest)
