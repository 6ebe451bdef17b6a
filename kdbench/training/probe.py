"""A few training steps of a recipe with random weights, to measure time or to see that they work; nothing is written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from kdbench import ops
from kdbench.data import Prepared
from kdbench.specs.recipe import Recipe
from kdbench.training.job import check_device

IMAGES = 8


class Probe:
    """One recipe, ready to take steps on its real training images.

    Args:
        images: take steps on one batch of so many images with objects, in place of the training's batches.
    """

    def __init__(self, recipe: Recipe, data: Prepared, device: str = "auto", *, images: int | None = None) -> None:
        ops.install()
        from kdbench.data.loaders import build_dataset, train_loader
        from kdbench.training.assembly import assemble
        from kdbench.training.config import mmdet_config
        from kdbench.training.optimizers import Optimizers

        self.device = torch.device(check_device(recipe, device))
        self.cfg = mmdet_config(recipe, data)
        self.distiller = assemble(recipe, self.cfg, tuple(data.classes), self.device, None, random_teacher=True)
        self.distiller.train()
        self.optimizers = Optimizers(self.distiller, {**self.cfg.optimizer, "lr": 1e-6})
        dataset = build_dataset(self.cfg.data.train)
        if images is None:
            loader = train_loader(dataset, recipe.schedule.samples_per_gpu, 0, 0, 0, 1)
            self.batches: Iterator[Any] = itertools.cycle(itertools.islice(iter(loader), 4))
        else:
            self.batches = itertools.repeat(_with_objects(dataset, images))

    def step(self) -> None:
        """Forward, backward, optimizer step."""
        outputs = self.distiller.train_step(next(self.batches))
        for optimizer in self.optimizers.all:
            optimizer.zero_grad()
        outputs["loss"].backward()
        for optimizer in self.optimizers.all:
            optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def evaluate_one(self, model: nn.Module) -> list[Any]:
        """The detections of one image of the search split."""
        from torch.utils.data import Subset

        from kdbench.data.loaders import build_dataset, test_loader
        from kdbench.evaluation.scoring import predict

        first: Any = Subset(build_dataset(self.cfg.data.val), [0])
        return predict(model, test_loader(first, 0, 0, 1), self.device)

    @property
    def memory_gb(self) -> float:
        """What the device has had allocated at most since this process began; on a CPU what the process holds now."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**30
        import psutil

        return float(psutil.Process().memory_info().rss) / 2**30

    @property
    def weights_mb(self) -> float:
        """Of the student alone, as a trial leaves it."""
        return (
            sum(value.numel() * value.element_size() for value in self.distiller.student.state_dict().values()) / 2**20
        )

    def seconds_per_test_image(self) -> float:
        from torch.utils.data import Subset

        from kdbench.data.loaders import build_dataset, test_loader
        from kdbench.evaluation.scoring import predict

        dataset = build_dataset(self.cfg.data.val)
        some: Any = Subset(dataset, range(min(IMAGES, len(dataset))))
        began = time.perf_counter()
        predict(self.distiller.student, test_loader(some, 0, 0, 1), self.device)
        return (time.perf_counter() - began) / len(some)


def _with_objects(dataset: Any, count: int) -> Any:
    """A batch of the first images that have objects; of the first image if none has."""
    from mmcv.parallel import collate

    files = getattr(dataset, "dataset", dataset)  # inside RepeatDataset
    having = (index for index in range(len(files)) if len(files.get_ann_info(index)["bboxes"]))
    chosen = list(itertools.islice(having, count)) or [0]
    return collate([files[index] for index in chosen], samples_per_gpu=len(chosen))
