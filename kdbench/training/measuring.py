"""Measuring a student that was trained before, on the report split."""

from __future__ import annotations

from pathlib import Path

from kdbench.training.callbacks import Outcome
from kdbench.training.train import Job, check_device


def measure_report(job: Job, weights: Path, summary: dict[str, float]) -> Outcome:
    """Evaluate a trained student on the report split, as its own training would have done at its end.

    Args:
        weights: a completed training's student.pth.
        summary: that training's figures; `report/...` are added to them.

    Raises:
        InputError: the weights cannot be read, or are not of this student.
    """
    import torch

    from kdbench import ops

    ops.install()
    from kdbench.data.loaders import build_dataset, test_loader
    from kdbench.detectors import models
    from kdbench.detectors.weights import load_weights
    from kdbench.training.config import mmdet_config
    from kdbench.training.evaluation import predict, score

    if job.threads:
        torch.set_num_threads(job.threads)
    device = torch.device(check_device(job.recipe, job.device))
    cfg = mmdet_config(job.recipe, job.data)
    student = models.build(cfg.model, seed=0)
    load_weights(student, str(weights), classes=tuple(job.data.classes), what="the trained student")
    dataset = build_dataset(cfg.data.test)
    results = predict(student.to(device), test_loader(dataset, job.recipe.pipeline.workers, 0, 1), device)
    figures = score(dataset, results, job.recipe.metric)
    return Outcome("completed", None, {**summary, **{f"report/{name}": value for name, value in figures.items()}})
