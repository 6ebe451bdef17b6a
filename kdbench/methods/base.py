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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from pydantic import ConfigDict
from torch import Tensor, nn

from kdbench.errors import InputError
from kdbench.specs.base import Spec

Proposals = Literal["teacher", "student", "both"]
Box = tuple[float, float, float, float]


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
        head: name of the head's class, for messages and for published defaults that differ between families.
        base_anchors: per FPN level, the anchors of the cell at row 0, column 0 (x1, y1, x2, y2 in pixels); those of
            cell (i, j) are shifted by (j * stride, i * stride). Of the RPN for two-stage detectors. Empty: anchor-free.
        score_channels: channels of a one-stage head's class map (anchors of a cell x K); 0 where there is none.
        bins: columns of a box side's distribution (reg_max + 1) of a GFL-type head; 0 for other heads.
        masks: it predicts instance masks.
        roi_logits: the RoI head of a two-stage detector classifies each box once, one logit a class and one for background
            (a cascade does not).
    """

    family: Literal["one_stage", "two_stage"]
    num_classes: int
    neck_channels: tuple[int, ...]
    neck_strides: tuple[int, ...]
    backbone_channels: tuple[int, ...]
    head: str = ""
    base_anchors: tuple[tuple[Box, ...], ...] = ()
    score_channels: int = 0
    bins: int = 0
    masks: bool = False
    roi_logits: bool = True

    @property
    def kind(self) -> str:
        """What conditions of search spaces call it: "one_stage", "two_stage", or "cascade" without RoI logits."""
        return self.family if self.family == "one_stage" or self.roi_logits else "cascade"


@dataclass(frozen=True)
class Taps:
    """What a method wants captured.

    Attributes:
        neck: all FPN levels.
        backbone: indices of backbone stages (0 = C2).
        roi_logits: RoI-head class logits of both networks on the same proposals; from whose RPN and sampler.
        dense: class and box maps of a one-stage head.
        assigned: which objects the student's one-stage head assigned to its anchors for its own loss.
        head_losses: a function that gives the student's own losses on other maps than its FPN's.
        masks: instance masks, where the data has them.
    """

    neck: bool = False
    backbone: tuple[int, ...] = ()
    roi_logits: Proposals | None = None
    dense: bool = False
    assigned: bool = False
    head_losses: bool = False
    masks: bool = False

    def __bool__(self) -> bool:
        asked = (self.neck, self.backbone, self.roi_logits, self.dense, self.assigned, self.head_losses, self.masks)
        return any(bool(what) for what in asked)


@dataclass
class Features:
    """What was captured of one network; student tensors carry gradient, teacher tensors do not.

    Shapes: neck[l] (N, C_l, H_l, W_l); backbone[s] (N, C_s, H_s, W_s); scores[l] (N, a*K, H_l, W_l) before the
    sigmoid; boxes[l] (N, a*4, H_l, W_l), or (N, 4*bins, H_l, W_l) for a head of distributions.
    """

    neck: tuple[Tensor, ...] = ()
    backbone: dict[int, Tensor] = field(default_factory=dict)
    scores: tuple[Tensor, ...] = ()
    boxes: tuple[Tensor, ...] = ()


@dataclass
class RoiLogits:
    """Class logits of both networks on the same R boxes, row by row.

    Shapes: student, teacher (R, K+1) before softmax; labels (R,), background = K.
    """

    student: Tensor
    teacher: Tensor
    labels: Tensor


@dataclass
class Assigned:
    """What the student's one-stage head assigned on one level; anchors position-major, A = H * W * anchors of a cell.

    Shapes: anchors (N, A, 4) in pixels; labels (N, A), background = K; label_weights (N, A), 0 where ignored.
    """

    anchors: Tensor
    labels: Tensor
    label_weights: Tensor


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
        assigned: per level, if tapped.
        head_losses: if tapped: maps shaped as the FPN's -> the student's own losses on them, each a scalar, by mmdet's
            names. Batch normalisation in the head uses its running statistics and leaves them.
        masks: per image (G, h, w) bool over the image (before padding); None unless tapped and there.
    """

    size: tuple[int, int]
    image_sizes: list[tuple[int, int]]
    boxes: list[Tensor]
    labels: list[Tensor]
    ignored: list[Tensor]
    roi_logits: list[RoiLogits] = field(default_factory=list)
    assigned: list[Assigned] = field(default_factory=list)
    head_losses: Callable[[Sequence[Tensor]], dict[str, Tensor]] | None = None
    masks: list[Tensor] | None = None


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


@dataclass(frozen=True)
class OwnOptimizer:
    """How some of a method's sub-modules are trained, apart from the student's optimizer.

    Attributes:
        modules: names of the method's direct children.
        kind: "SGD", "AdamW", or None for the task's.
        lr: learning rate; None for the task's.
        weight_decay: None for the task's.
        policy: "task" follows the task's schedule, warm-up included; "cosine" falls from lr to 0 over the training.
        clip_norm: maximal L2 norm of the gradient over all of these modules; None is none.
        clip_value: maximal magnitude of each element of the gradient; None is none.
    """

    modules: tuple[str, ...]
    kind: Literal["SGD", "AdamW"] | None = None
    lr: float | None = None
    weight_decay: float | None = None
    policy: Literal["task", "cosine"] = "task"
    clip_norm: float | None = None
    clip_value: float | None = None


@dataclass(frozen=True)
class GradientRules:
    """What is done, in one step, to the gradient of what the student's optimizer trains, before the recipe's own clipping.

    Attributes:
        freeze_backbone: the student's backbone is not updated in this step.
        clip_value: maximal magnitude of each element; None is none.
    """

    freeze_backbone: bool = False
    clip_value: float | None = None


@dataclass(frozen=True)
class BoxStatistics:
    """Of the training annotations, per class; sides in shares of the image's width and height.

    Shapes: counts (K,); mean, std (K, 2) width, height (0 for a class without boxes).
    """

    counts: Tensor
    mean: Tensor
    std: Tensor


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
    statistics: BoxStatistics | None = None
    """Of the training annotations: set before the training begins, for a method that `wants_statistics`."""

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

    def required(self, teacher: DetectorInfo | None) -> DetectorInfo:
        """The teacher, for a method that cannot do without one.

        Raises:
            InputError: there is none.
        """
        if teacher is None:
            raise InputError(f"method {self.name} needs a teacher; name one in the task or with --teacher")
        return teacher

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """Published values where they depend on the detector; the rest are the defaults of `Params`."""
        return {}

    @property
    def inherits(self) -> bool:
        """Does the student start from the teacher's neck and heads, where names and shapes agree?"""
        return False

    @property
    def wants_statistics(self) -> bool:
        """Does it need `statistics`?"""
        return False

    def own_optimizers(self) -> tuple[OwnOptimizer, ...]:
        """Sub-modules that are not trained by the student's optimizer. They still live in the method."""
        return ()

    def gradient_rules(self, progress: Progress) -> GradientRules:
        """What is done to the gradient in this step. With all weights 0: nothing."""
        return GradientRules()

    def taps(self) -> Taps:
        """What has to be captured for `forward`; empty when nothing is distilled."""
        raise NotImplementedError

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Named loss terms (scalars, weights included), to be added to the detector's own losses."""
        raise NotImplementedError


def zero(like: Tensor) -> Tensor:
    """A float32 scalar 0 on the device of `like`."""
    return torch.zeros((), device=like.device, dtype=torch.float32)
