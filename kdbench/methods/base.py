"""The contract of a distillation method. A new one is one file in this folder:

class Mimic(Method):
    \"\"\"Mean squared error between the FPN levels.\"\"\"

    class Params(MethodParams):
        weight: float = Field(1.0, ge=0)

    name = "mimic"
    weights = ("weight",)

    def taps(self):
        return Taps(neck=True)

    def forward(self, student, teacher, batch, progress):
        pairs = zip(student.neck, teacher.neck)
        return {"loss_mimic": self.params.weight * sum(F.mse_loss(s, t) for s, t in pairs)}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from pydantic import ConfigDict
from torch import Tensor, nn

from kdbench.errors import InputError
from kdbench.specs.base import Spec

Proposals = Literal["teacher", "student", "both"]


class MethodParams(Spec):
    """A method's own parameters: plain data with defaults, ranges and a description each."""

    model_config = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True)
class DetectorInfo:
    """What a method may know about a detector: sizes, never its class.

    Attributes:
        family: "one_stage" or "two_stage".
        num_classes: K, without background.
        neck_channels, neck_strides: per FPN level (strides in pixels, the anchor generator's).
        backbone_channels: per backbone output stage, C2..C5 (index 0 = C2).
    """

    family: Literal["one_stage", "two_stage"]
    num_classes: int
    neck_channels: tuple[int, ...]
    neck_strides: tuple[int, ...]
    backbone_channels: tuple[int, ...]
    head: str = ""


@dataclass(frozen=True)
class Taps:
    """What a method wants captured.

    Attributes:
        neck: all FPN levels.
        backbone: indices of backbone stages (0 = C2).
        roi_logits: RoI-head class logits of both networks on the same proposals; from whose RPN and sampler.
    """

    neck: bool = False
    backbone: tuple[int, ...] = ()
    roi_logits: Proposals | None = None

    def __bool__(self) -> bool:
        return self.neck or bool(self.backbone) or self.roi_logits is not None


@dataclass
class Features:
    """What was captured of one network; student tensors carry gradient, teacher tensors do not.

    Shapes: neck[l] (N, C_l, H_l, W_l); backbone[s] (N, C_s, H_s, W_s).
    """

    neck: tuple[Tensor, ...] = ()
    backbone: dict[int, Tensor] = field(default_factory=dict)


@dataclass
class RoiLogits:
    """Class logits of both networks on the same R boxes, row by row.

    Shapes: student, teacher (R, K+1) before softmax; labels (R,), background = K.
    """

    student: Tensor
    teacher: Tensor
    labels: Tensor


@dataclass
class Batch:
    """The labels of a batch, in the frame of the padded network input (pixels).

    Attributes:
        size: padded input height, width.
        image_sizes: per image, height and width before padding.
        boxes: per image (G, 4) x1, y1, x2, y2.
        labels: per image (G,) in 0..K-1.
        ignored: per image (I, 4) crowd or ignored boxes.
        roi_logits: one entry for each requested source of proposals.
    """

    size: tuple[int, int]
    image_sizes: list[tuple[int, int]]
    boxes: list[Tensor]
    labels: list[Tensor]
    ignored: list[Tensor]
    roi_logits: list[RoiLogits] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far the training is. epoch and iteration count from 0; `fraction` is iteration / max_iterations."""

    epoch: int
    max_epochs: int
    iteration: int
    max_iterations: int

    @property
    def fraction(self) -> float:
        return self.iteration / max(1, self.max_iterations)


class Method(nn.Module):
    """A distillation algorithm: only what it adds to a detector's training.

    It owns no optimizer, does no I/O and does not know the detector's class. Sub-modules (adapters) are
    built only for terms whose weight is not 0, so with all weights 0 `taps()` is empty, the method has no
    parameters, and training equals plain training bit for bit.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    needs_teacher: ClassVar[bool] = True
    weights: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters that are loss weights: all 0 means plain training."""
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    """Preset name -> parameter values; a preset's name can stand for the method on the command line."""

    class Params(MethodParams):
        pass

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__()
        self.params: Any = params
        self.check(params, student, teacher)

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse what makes no sense, before anything is built.

        Raises:
            InputError: with the reason and the alternatives.
        """
        if teacher is not None and student.num_classes != teacher.num_classes:
            raise InputError(
                f"method {cls.name}: student has {student.num_classes} classes, teacher {teacher.num_classes}; "
                "use a teacher trained on the same classes"
            )

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """Published values where they depend on the detector; the rest are the defaults of `Params`."""
        return {}

    def taps(self) -> Taps:
        """What has to be captured for `forward`; empty when nothing is distilled."""
        raise NotImplementedError

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Named loss terms (scalars, weights included), to be added to the detector's own losses."""
        raise NotImplementedError


def zero(like: Tensor) -> Tensor:
    """A float32 scalar 0 on the device of `like`."""
    return torch.zeros((), device=like.device, dtype=torch.float32)
