"""What one image costs the student: mmcv's counter on a model of its own, so that the training does not notice."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from typing import Any

import torch

from kdbench.data.streams import RandomStream
from kdbench.detectors import configs, models
from kdbench.specs.training import PipelineSpec


def gflops(cfg: Any, pipeline: PipelineSpec, device: torch.device, logger: logging.Logger) -> float | None:
    """10^9 operations of a detector for one test image, as mmdet's tool `get_flops.py` counts them.

    A multiplication with its addition counts as one. What mmcv's counter does not know counts nothing: deformable
    convolution, products inside attention. The image has the size of `image_scale`, padded as the pipeline pads;
    a two-stage detector is given 1000 proposals.

    Args:
        cfg: the training's mmdet configuration.
        device: where the model that is counted runs, if it has to.
        logger: told when there is no figure.

    Returns:
        None where the counter cannot run the detector. Nothing is raised: a training never fails by it.

    Example:
        >>> gflops(cfg, PipelineSpec(image_scale=(1333, 800)), torch.device("cpu"), logging.getLogger())
        239.3
    """
    reason = ""
    # Without data only the shapes are followed, in a fraction of the time; RoI heads need real boxes.
    for place in (torch.device("meta"), device):
        try:
            with RandomStream(0).active(device):
                return _count(_twin(cfg).to(place), image_size(pipeline))
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    logger.warning("cost/gflops is left out: mmcv's counter cannot run this student (%s)", reason)
    return None


def image_size(pipeline: PipelineSpec) -> tuple[int, int]:
    """Height and width of a test image that fills `image_scale`, padded."""
    width, height = pipeline.image_scale
    pad = pipeline.pad_divisor
    return -(-height // pad) * pad, -(-width // pad) * pad


def _twin(cfg: Any) -> Any:
    """The student's network with random weights. Its norm is BN, because SyncBN does the same and is not counted."""
    from mmcv import Config

    own = Config({"model": copy.deepcopy(cfg.model)})
    configs.drop_pretrained(own)
    configs.set_norm(own, "BN", False)
    return models.build(own.model, seed=0)


def _count(model: Any, size: tuple[int, int]) -> float:
    from mmcv.cnn import get_model_complexity_info

    model.forward = model.forward_dummy
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        operations, _ = get_model_complexity_info(model, (3, *size), print_per_layer_stat=False, as_strings=False)
    return float(operations) / 1e9
