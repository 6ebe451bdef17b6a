"""What a loader's processes draw follows (seed, rank, worker, epoch), not the main process."""

from __future__ import annotations

import pytest
import torch

from kdbench.data.loaders import train_loader


class Draws(torch.utils.data.Dataset[list[float]]):
    """Items that are random numbers of python, numpy and torch."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> list[float]:
        import random

        import numpy as np

        return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def draws(seed: int = 1, rank: int = 0, epoch: int = 0, outer: int = 5) -> list[list[float]]:
    loader = train_loader(Draws(), 2, 2, seed, rank, 2)
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    torch.manual_seed(outer)
    return [[float(x) for x in column] for batch in loader for column in batch]


def test_the_main_process_does_not_matter() -> None:
    assert draws(outer=5) == draws(outer=6)


@pytest.mark.parametrize("change", [{"seed": 2}, {"rank": 1}, {"epoch": 1}])
def test_seed_rank_and_epoch_do(change: dict[str, int]) -> None:
    first, second = draws(), draws(**change)
    for generator in range(3):
        assert [row[generator] for row in zip(*[iter(first)] * 3, strict=True)] != [
            row[generator] for row in zip(*[iter(second)] * 3, strict=True)
        ]


def test_workers_differ() -> None:
    first, second = (
        [float(x) for column in batch for x in column] for batch in list(train_loader(Draws(), 2, 2, 1))[:2]
    )
    assert first != second
