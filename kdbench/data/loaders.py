"""Loaders: mmdet's datasets, in an order that is a pure function of the seed and the epoch."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Iterator, Sized
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, Subset


def build_dataset(cfg: dict[str, Any], log: Path | None = None) -> Any:
    """mmdet's dataset of a config, without what pycocotools prints; its images are read as `enduring` does.

    Args:
        log: a file that images which cannot be read any more are told in, beside stderr.
    """
    from kdbench import ops

    ops.install()
    from mmdet.datasets import build_dataset as build

    with contextlib.redirect_stdout(io.StringIO()):
        return build(_enduring(cfg, log))


def _enduring(cfg: dict[str, Any], log: Path | None) -> dict[str, Any]:
    """The config with our dataset in place of CocoDataset, through wrappers such as RepeatDataset."""
    from kdbench.data.enduring import EnduringCocoDataset

    if isinstance(cfg.get("dataset"), dict):
        return {**cfg, "dataset": _enduring(cfg["dataset"], log)}
    return {**cfg, "type": EnduringCocoDataset, "log": log} if cfg.get("type") == "CocoDataset" else cfg


class EpochSampler(Sampler[int]):
    """Indices of this process for an epoch, in batches of images that are all wide or all tall.

    Formula:
        the order of epoch e is drawn with (seed, e) alone; each group is filled up to whole global batches by repeating
        its first images; process r takes the r-th share of every global batch.
    """

    def __init__(self, dataset: Sized, batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.batch, self.seed, self.rank, self.world, self.epoch = batch, seed, rank, world, 0
        flags = np.asarray(getattr(dataset, "flag", np.zeros(len(dataset), dtype=np.uint8)))
        self.groups = [np.flatnonzero(flags == flag) for flag in np.unique(flags)]
        whole = batch * world
        self.batches = sum(-(-len(group) // whole) for group in self.groups)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.batch

    def __iter__(self) -> Iterator[int]:
        stream = np.random.default_rng([self.seed, self.epoch])
        whole = self.batch * self.world
        batches: list[np.ndarray] = []
        for group in self.groups:
            order = stream.permutation(group)
            order = np.resize(order, -(-len(order) // whole) * whole)
            batches += list(order.reshape(-1, whole))
        for index in stream.permutation(len(batches)):
            start = self.rank * self.batch
            yield from (int(i) for i in batches[index][start : start + self.batch])


def train_loader(
    dataset: Any, samples_per_gpu: int, workers: int, seed: int, rank: int = 0, world_size: int = 1
) -> DataLoader[Any]:
    """The training loader of one process; call `loader.sampler.set_epoch(e)` before each epoch."""
    from mmcv.parallel import collate

    sampler = EpochSampler(dataset, samples_per_gpu, seed, rank, world_size)
    return DataLoader(
        dataset,
        batch_size=samples_per_gpu,
        sampler=sampler,
        num_workers=workers,
        collate_fn=partial(collate, samples_per_gpu=samples_per_gpu),
        worker_init_fn=WorkerSeed(sampler),
        pin_memory=torch.cuda.is_available(),
    )


def test_loader(dataset: Any, workers: int, rank: int = 0, world_size: int = 1) -> DataLoader[Any]:
    """Images rank, rank + world_size, ... of a dataset, one at a time."""
    from mmcv.parallel import collate

    share: Any = Subset(dataset, range(rank, len(dataset), world_size))
    return DataLoader(share, batch_size=1, num_workers=workers, collate_fn=partial(collate, samples_per_gpu=1))


class WorkerSeed:
    """Seeds a loader's process for (seed, rank, worker, epoch), whatever the main process has drawn before.

    The loader starts its processes anew for each epoch, so the sampler's epoch is the one that begins.
    """

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler

    def __call__(self, worker: int) -> None:
        sampler = self.sampler
        words = np.random.SeedSequence([sampler.seed, sampler.rank, worker, sampler.epoch]).generate_state(3)
        random.seed(int(words[0]))
        np.random.seed(words[1])
        torch.manual_seed(int(words[2]))
