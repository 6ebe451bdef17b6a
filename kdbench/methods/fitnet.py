"""FitNet: imitate the teacher's whole feature maps. The control for methods that choose where to imitate."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from kdbench.errors import InputError
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, MethodParams, Progress, Taps
from kdbench.methods.shared.adapters import adapter
from kdbench.methods.shared.levels import check_levels, check_widths
from kdbench.methods.shared.schedules import Decay, DecayUnit, factor

TINY = 1e-12
"""Added to a vector's length before it divides."""


class FitNet(Method):
    """Half the mean squared error between the adapted student's map S and the teacher's map T, over every cell.

        loss = weight * decay * mean_l  mean (S_l - T_l)^2 / 2

    With `normalize` each image's map is first divided by its length as a vector, and the squared differences are summed
    and divided by the number of images. Terms: loss_neck over the FPN levels, loss_backbone over backbone stages.

    Shapes: neck[l] (N, C_l, H_l, W_l), backbone[s] (N, C_s, H_s, W_s). Where strides differ the student's map is resized
        to the teacher's bilinearly, with a warning when the method is built.
    Batch: a mean over images of equal size, so two processes with half the batch each give the same gradient.
    Raises: InputError where the detectors do not suit.
    Reference: FitNets: Hints for Thin Deep Nets, ICLR 2015, arXiv 1412.6550.
    Differs from the paper: no first stage of its own: the hint is a loss beside the detector's, as detection practice
        has it; the regressor is a 3x3 (or 1x1) convolution.

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16, 16), (8, 16), (16, 32, 64, 128))
        >>> FitNet(FitNet.Params(), info, info).taps().neck
        True
    """

    class Params(MethodParams):
        """A term with weight 0 is not computed and has no adaptation layers."""

        weight: float = Field(3.0, ge=0, description="FPN maps")
        backbone_weight: float = Field(0.0, ge=0, description="backbone stages")
        backbone_stages: tuple[int, ...] = Field((2, 3), description="stages of the backbone term, 0 = C2")
        adapt: bool = Field(True, description="a convolution on the student's maps; needed if the widths differ")
        adapt_kernel: Literal[1, 3] = Field(3, description="its size")
        adapt_init_std: float = Field(1e-4, ge=0, description="spread of its initial weights")
        normalize: bool = Field(False, description="compare maps of length 1 instead of the maps")
        decay: Decay = Field("none", description="how the terms change over the training")
        decay_unit: DecayUnit = Field("epoch", description="how often the decay takes a step")
        warmup_iters: int = Field(0, ge=0, description="iterations at the start with all terms times 0")
        warmup_frac: float = Field(
            0.0, ge=0, le=1, description="the same as a share of the training; the later end counts"
        )

        @field_validator("backbone_stages")
        @classmethod
        def _stages(cls, stages: tuple[int, ...]) -> tuple[int, ...]:
            if not stages or len(set(stages)) != len(stages) or min(stages) < 0:
                raise ValueError("give one or more different stages counted from 0 = C2, e.g. [2, 3]")
            return stages

    name = "fitnet"
    title = "imitate whole FPN maps, without a mask: the control for methods that choose where"
    reference = "FitNets: Hints for Thin Deep Nets, ICLR 2015, arXiv 1412.6550"
    weights = ("weight", "backbone_weight")

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        p = self.params
        if not self.taps():
            return
        teacher = self.required(teacher)
        how: dict[str, Any] = {
            "adapt": p.adapt,
            "relu": False,
            "init_std": p.adapt_init_std,
            "kernel": p.adapt_kernel,
        }
        if p.weight:
            if student.neck_strides != teacher.neck_strides:
                warnings.warn(
                    f"method fitnet: FPN strides {student.neck_strides} of the student and {teacher.neck_strides} of the "
                    "teacher differ: the student's maps are resized",
                    stacklevel=2,
                )
            widths = zip(student.neck_channels, teacher.neck_channels, strict=True)
            self.neck_adapters = nn.ModuleList(adapter(*pair, **how) for pair in widths)
        if p.backbone_weight:
            ours, theirs = student.backbone_channels, teacher.backbone_channels
            self.backbone_adapters = nn.ModuleList(adapter(ours[s], theirs[s], **how) for s in p.backbone_stages)

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse levels, stages and widths that the detectors have not."""
        super().check(params, student, teacher)
        assert isinstance(params, FitNet.Params)
        teacher = teacher or student
        if params.weight:
            check_levels("fitnet", None, "weight", student, teacher, same_strides=False)
            check_widths("fitnet", "FPN levels", params.adapt, student.neck_channels, teacher.neck_channels)
        if params.backbone_weight:
            stages = min(len(student.backbone_channels), len(teacher.backbone_channels))
            if max(params.backbone_stages) >= stages:
                raise InputError(
                    f"method fitnet: backbone_stages {list(params.backbone_stages)}: the backbones have {stages} stages "
                    f"in common; choose from {list(range(stages))} (0 = C2), or backbone_weight: 0"
                )
            ours, theirs = (
                tuple(info.backbone_channels[stage] for stage in params.backbone_stages) for info in (student, teacher)
            )
            check_widths("fitnet", "backbone stages", params.adapt, ours, theirs)

    def taps(self) -> Taps:
        p = self.params
        return Taps(neck=bool(p.weight), backbone=p.backbone_stages if p.backbone_weight else ())

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms."""
        p = self.params
        started = progress.fraction >= p.warmup_frac
        scale = factor(progress, p.decay, p.decay_unit, p.warmup_iters) * started
        terms: dict[str, Tensor] = {}
        if p.weight:
            terms["loss_neck"] = self.errors(self.neck_adapters, student.neck, teacher.neck).mean() * (p.weight * scale)
        if p.backbone_weight:
            ours, theirs = ([maps.backbone[s] for s in p.backbone_stages] for maps in (student, teacher))
            errors = self.errors(self.backbone_adapters, ours, theirs)
            terms["loss_backbone"] = errors.mean() * (p.backbone_weight * scale)
        return terms

    def errors(self, adapters: Iterable[nn.Module], ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
        """The unweighted error of each map, (L,), float32."""
        pairs = zip(adapters, ours, theirs, strict=True)
        return torch.stack([imitation(adapt(one), other, self.params.normalize) for adapt, one, other in pairs])


def imitation(student: Tensor, teacher: Tensor, normalize: bool = False) -> Tensor:
    """Half the mean squared error; with `normalize` the squared distance of the maps' directions, a mean over images.

    Shapes: (N, C, H, W) both, H and W may differ -> scalar, float32.
    """
    with torch.autocast(student.device.type, enabled=False):
        student, teacher = student.float(), teacher.detach().float()
        if student.shape[-2:] != teacher.shape[-2:]:
            student = F.interpolate(student, teacher.shape[-2:], mode="bilinear", align_corners=False)
        if not normalize:
            return F.mse_loss(student, teacher) * 0.5
        one, other = _direction(student), _direction(teacher)
        return (one - other).square().sum() / len(student)


def _direction(maps: Tensor) -> Tensor:
    flat = maps.flatten(1)
    return flat / (flat.norm(dim=1, keepdim=True) + TINY)
