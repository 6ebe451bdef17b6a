"""What a training is apart from its data and method: models, input pipeline, schedule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from kdbench.errors import did_you_mean
from kdbench.specs.base import Spec

MIXING = ("Mosaic", "MixUp", "CopyPaste")
"""mmdet's transforms that make one image of several; they need its MultiImageMixDataset."""
OWN_STEPS = (
    *("LoadImageFromFile", "LoadAnnotations", "LoadProposals", "LoadPanopticAnnotations"),
    *("MultiScaleFlipAug", "DefaultFormatBundle", "DefaultFormatBundle3D", "Collect", "ImageToTensor", "ToTensor"),
)
"""Steps of loading and of formatting, which a task does not give."""
PARAMWISE = (
    *("custom_keys", "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult"),
    *("dcn_offset_lr_mult", "bypass_duplicate"),
)
"""The keys of mmcv's paramwise_cfg."""
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
        keep_ratio: the image keeps its proportions when it is resized.
        flip: probability of a horizontal flip in training.
        train: mmdet transforms of a training image, in their order, in place of resize and flip: everything that stands between
            loading and formatting in mmdet's pipeline, e.g. `{type: PhotoMetricDistortion}`. Normalisation and padding are
            added at the end where they are not in it. Evaluation does not use it.
        mean: of the three channels, in the order that to_rgb leaves them in.
        std: likewise.
        to_rgb: images are turned from BGR, as they are read, to RGB.
        pad_divisor: sides are padded to a multiple of it, in pixels.
    """

    image_scale: tuple[Side, Side]
    short_sides: tuple[Side, ...] = ()
    keep_ratio: bool = True
    flip: float = Field(0.5, ge=0, le=1)
    train: tuple[dict[str, Any], ...] = ()
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[Deviation, Deviation, Deviation] = (58.395, 57.12, 57.375)
    to_rgb: bool = True
    pad_divisor: int = Field(32, ge=1, le=1024)
    workers: int = Field(0, ge=0, le=256, description="loader processes for each training process")

    @model_serializer(mode="wrap")
    def _without_unused_transforms(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Recipes from before there were transforms keep their identity."""
        content: dict[str, Any] = write(self)
        if not content.get("train"):
            content.pop("train", None)
        return content

    @field_validator("train")
    @classmethod
    def _transforms_are_of_one_image(cls, steps: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for step in steps:
            kind = step.get("type")
            if not isinstance(kind, str):
                raise ValueError("each transform is an object with its 'type', e.g. {type: PhotoMetricDistortion}")
            if kind in MIXING:
                raise ValueError(
                    f"transform {kind} makes one image of several: there is no label of one image then for a method to look at, and mmdet "
                    "needs its MultiImageMixDataset for it; leave it out"
                )
            if kind in OWN_STEPS:
                raise ValueError(
                    f"step {kind} is one that kdbench adds itself; give the transforms between loading and formatting"
                )
        return steps

    @model_validator(mode="after")
    def _one_way_to_resize(self) -> PipelineSpec:
        if self.train and self.short_sides:
            raise ValueError("'train' takes the place of 'short_sides'; give the sizes to its Resize, or leave it out")
        return self


class ScheduleSpec(Spec):
    """Optimizer, learning rate policy and the values that a search may vary.

    Attributes:
        epochs: of one training.
        optimizer: torch's class.
        lr: learning rate, for the global batch samples_per_gpu x gpus.
        momentum: of SGD.
        weight_decay: L2 for SGD, decoupled for AdamW.
        policy: how the learning rate changes: a factor at some epochs, a cosine down to 0, or up and down once.
        steps: epochs after which a `step` policy multiplies lr by gamma.
        gamma: the factor of a `step` policy.
        warmup_iters: iterations in which the learning rate rises linearly to its start.
        warmup_ratio: share of the learning rate that the rise begins with.
        samples_per_gpu: images in a batch of one process.
        grad_clip: maximal L2 norm of the gradient; null is none.
        gpus: number of processes, one for each GPU (on CPU: gloo processes).
        norm: batch normalisation of the student.
        norm_frozen: it uses running statistics in training (mmdet's norm_eval). `auto` is true for a model that starts from
            weights (`pretrained` or `init`), and false for one from scratch: its running statistics are of nothing yet, and
            frozen they normalise nothing. A recipe holds true or false.
        fp16: mixed precision with dynamic loss scaling.
        betas: of Adam and AdamW; null is torch's (0.9, 0.999).
        nesterov: Nesterov's momentum, of SGD.
        paramwise: factors of learning rate and decay for some of the parameters, as mmcv's paramwise_cfg has them, e.g.
            `{custom_keys: {backbone: {lr_mult: 0.1}}, norm_decay_mult: 0}`. A custom key is a part of a parameter's name.
    """

    epochs: int = Field(ge=1, le=100_000)
    optimizer: Literal["SGD", "AdamW", "Adam"] = "SGD"
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
    norm_frozen: bool | Literal["auto"] = "auto"
    fp16: bool = False
    betas: tuple[float, float] | None = None
    nesterov: bool = False
    paramwise: dict[str, Any] = {}

    @model_serializer(mode="wrap")
    def _without_unused_settings(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Recipes from before there were these settings keep their identity."""
        content: dict[str, Any] = write(self)
        for key in ("betas", "nesterov", "paramwise"):
            if not content.get(key):
                content.pop(key, None)
        return content

    @field_validator("norm_frozen", mode="wrap")
    @classmethod
    def _frozen_or_not(cls, value: Any, check: ValidatorFunctionWrapHandler) -> bool | Literal["auto"]:
        try:
            return check(value)  # type: ignore[no-any-return]
        except ValidationError:
            raise ValueError("is true, false or auto") from None

    @model_validator(mode="after")
    def _settings_of_the_optimizer(self) -> ScheduleSpec:
        if self.betas is not None and self.optimizer == "SGD":
            raise ValueError("'betas' are of Adam and AdamW; leave them out for SGD")
        if self.betas is not None and not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("'betas' lie from 0 to below 1")
        if self.nesterov and (self.optimizer != "SGD" or not self.momentum):
            raise ValueError("'nesterov' needs SGD with a momentum")
        for key in self.paramwise:
            if key not in PARAMWISE:
                raise ValueError(f"'paramwise' has no key {key!r}; {did_you_mean(key, PARAMWISE)}")
        keys = self.paramwise.get("custom_keys", {})
        if not isinstance(keys, dict) or not all(isinstance(value, dict) for value in keys.values()):
            raise ValueError("'paramwise.custom_keys' is names with {lr_mult: x, decay_mult: y}")
        for name, value in keys.items():
            for key in value:
                if key not in ("lr_mult", "decay_mult"):
                    raise ValueError(
                        f"'paramwise.custom_keys.{name}' has no {key!r}; {did_you_mean(key, ('lr_mult', 'decay_mult'))}"
                    )
        return self

    @model_validator(mode="after")
    def _steps_inside(self) -> ScheduleSpec:
        if self.steps and (list(self.steps) != sorted(set(self.steps)) or self.steps[0] < 1):
            raise ValueError("steps must be increasing epochs from 1 on")
        return self

    def freezes_norm(self, model: ModelSpec) -> bool:
        """What `norm_frozen` is for a training of `model`.

        Example:
            >>> ScheduleSpec(epochs=1, lr=0.1).freezes_norm(ModelSpec(config="retinanet/retinanet_r50_fpn_1x_coco"))
            False
        """
        if self.norm_frozen == "auto":
            return model.pretrained or model.init is not None
        return self.norm_frozen

    def with_epochs(self, epochs: int) -> ScheduleSpec:
        """The same schedule squeezed or stretched to `epochs`; the steps keep their share of it."""
        steps = sorted({max(1, round(step * epochs / self.epochs)) for step in self.steps})
        kept = tuple(step for step in steps if step < epochs)
        return self.model_copy(update={"epochs": epochs, "steps": kept})
