"""Evaluating weights that were trained before: a student without a figure of the report split, a given teacher."""

from __future__ import annotations

from pathlib import Path

from kdbench.training.callbacks import Outcome
from kdbench.training.job import Job, check_device

SPLITS = {"best": "val", "report": "test"}
"""What a figure is filed under, and mmdet's name of the split that it is measured on."""


def measure(job: Job, weights: Path, summary: dict[str, float]) -> Outcome:
    """Evaluate weights on those splits whose figures are not known, as their own training would have done at its end.

    Args:
        weights: of the recipe's detector.
        summary: the figures that are known; `best/...` and `report/...` are added to them.

    Raises:
        InputError: the weights cannot be read, or are not of this detector.
    """
    import torch

    from kdbench import ops

    ops.install()
    from kdbench.data.loaders import build_dataset, test_loader
    from kdbench.detectors import configs, models
    from kdbench.detectors.weights import load_weights
    from kdbench.evaluation.scoring import predict, score
    from kdbench.training.config import mmdet_config

    if job.threads:
        torch.set_num_threads(job.threads)
    device = torch.device(check_device(job.recipe, job.device))
    cfg = mmdet_config(job.recipe, job.data)
    configs.drop_pretrained(cfg)  # all weights come from the file
    model = models.build(cfg.model, seed=0)
    load_weights(model, str(weights), classes=tuple(job.data.classes), what="the trained weights")
    model.to(device)
    found = dict(summary)
    for name, split in SPLITS.items():
        if f"{name}/{job.recipe.metric}" not in summary:
            dataset = build_dataset(cfg.data[split])
            results = predict(model, test_loader(dataset, job.recipe.pipeline.workers, 0, 1), device)
            figures = score(dataset, results, job.recipe.metric)
            found |= {f"{name}/{figure}": value for figure, value in figures.items()}
    return Outcome("completed", None, found)
