"""What a training is apart from its data and method: models, input pipeline, schedule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kdbench.specs.base import Spec

LONGEST_SIDE = 10_000
Side = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
"""Pixels of an image's side: what memory holds, and no more than decoders read."""
Deviation = Annotated[float, Field(gt=0)]
"""By which pixels are divided."""


class ModelSpec(Spec):
    """A detector: one of mmdet's configs or the user's own file, with overrides by dotted path.

    Attributes:
        config: `retinanet/retinanet_r50_fpn_1x_coco` (mmdet's own) or the path of an mmdet config file.
        set: dotted path in that config -> value, e.g. `model.backbone.depth: 18`.
        pretrained: keep the config's own initial weights (an ImageNet backbone; needs the network or a cache). Without them and
            without `init` no stage of the backbone is frozen, unless `set` says so.
        init: file or URL of weights of the whole detector to start from.
    """

    config: str
    set: dict[str, Any] = {}
    pretrained: bool = False
    init: str | None = None


class PipelineSpec(Spec):
    """The input pipeline.

    Attributes:
        image_scale: (width, height) in pixels, as mmdet has it; the image is fitted into it when keep_ratio.
        short_sides: heights of which one is drawn for each training image, in place of image_scale's (multi-scale training).
        flip: probability of a horizontal flip in training.
    """

    image_scale: tuple[Side, Side]
    short_sides: tuple[Side, ...] = ()
    keep_ratio: bool = True
    flip: float = Field(0.5, ge=0, le=1)
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[Deviation, Deviation, Deviation] = (58.395, 57.12, 57.375)
    to_rgb: bool = True
    pad_divisor: int = Field(32, ge=1, le=1024)
    workers: int = Field(0, ge=0, le=256, description="loader processes for each training process")


class ScheduleSpec(Spec):
    """Optimizer, learning rate policy and the values that a search may vary.

    Attributes:
        lr: learning rate, for the global batch samples_per_gpu x gpus.
        steps: epochs after which a `step` policy multiplies lr by gamma.
        grad_clip: maximal L2 norm of the gradient; null is none.
        gpus: number of processes, one for each GPU (on CPU: gloo processes).
        norm, norm_frozen: batch normalisation of the student; frozen uses running statistics (mmdet's norm_eval).
    """

    epochs: int = Field(ge=1, le=100_000)
    optimizer: Literal["SGD", "AdamW"] = "SGD"
    lr: float = Field(gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(1e-4, ge=0)
    policy: Literal["step", "cosine", "one_cycle"] = "step"
    steps: tuple[int, ...] = ()
    gamma: float = Field(0.1, gt=0)
    warmup_iters: int = Field(0, ge=0, le=10**9)
    warmup_ratio: float = Field(0.001, gt=0, le=1)
    samples_per_gpu: int = Field(2, ge=1, le=1024)
    gpus: int = Field(1, ge=1, le=1024)
    grad_clip: float | None = Field(None, gt=0)
    norm: Literal["BN", "SyncBN"] = "BN"
    norm_frozen: bool = True
    fp16: bool = False

    @model_validator(mode="after")
    def _steps_inside(self) -> ScheduleSpec:
        if self.steps and (list(self.steps) != sorted(set(self.steps)) or self.steps[0] < 1):
            raise ValueError("steps must be increasing epochs from 1 on")
        return self

    def with_epochs(self, epochs: int) -> ScheduleSpec:
        """The same schedule squeezed or stretched to `epochs`; the steps keep their share of it."""
        steps = sorted({max(1, round(step * epochs / self.epochs)) for step in self.steps})
        kept = tuple(step for step in steps if step < epochs)
        return self.model_copy(update={"epochs": epochs, "steps": kept})
