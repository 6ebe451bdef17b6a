"""PKD: imitate the pattern of the teacher's FPN maps, whatever their magnitude."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kdbench.methods.base import Batch, DetectorInfo, Features, MethodParams, Progress
from kdbench.methods.shared.fpn import LevelMethod
from kdbench.methods.shared.levels import Levels
from kdbench.methods.shared.schedules import Decay, DecayUnit, factor

EPSILON = 1e-6
"""Added to the standard deviation, not to the variance."""
ROUNDING = 1e-6
"""A channel whose deviation is below this share of its mean is constant, up to float32's rounding."""


class PKD(LevelMethod):
    """Both maps are standardised per channel; the squared difference is then 1 minus their Pearson correlation.

    With mean and std of each channel over the batch and all positions (std with n - 1, n = N * H * W):

        Z(x) = (x - mean) / (std + 1e-6)        loss_l = weight * decay * 0.5 * mean (Z(S_l) - Z(T_l))^2

    Terms: loss_pkd_l<level>, one a level, all added. 1 - term / weight is the mean correlation of the level's channels
    (up to (n - 1) / n): the term is 0 for equal patterns, about `weight` for unrelated, twice that for opposite ones.

    Shapes: neck[l] (N, C_l, H_l, W_l). Maps of different size are made equal bilinearly, so the detectors' strides may
        differ (level by level in order). Different channels: a 1x1 convolution on the student's map.
    Batch: the statistics are those of the batch in one process, padding included, neither synchronised nor running. So
        the loss depends on the images per GPU, and two processes with half the batch each give another gradient.
    Raises: InputError where the detectors do not suit (see `check_levels`).
    Reference: PKD: General Distillation Framework for Object Detectors via Pearson Correlation Coefficient,
        NeurIPS 2022, arXiv 2207.02039.
    Differs from the official code: widths are compared as heights are; a level with fewer than two values a channel
        (one image, one cell) gives 0 where that gives NaN; a student's channel that is constant takes part in the loss
        as there (as zeros) and gets no gradient, where that has none that is finite; the convolution.

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16, 16), (8, 16), (16, 32, 64, 128))
        >>> PKD(PKD.Params(), info, info).levels
        (0, 1)
    """

    class Params(MethodParams):
        """With weight 0 nothing is computed."""

        weight: float = Field(6.0, ge=0, description="weight of each level's term")
        levels: Levels = Field("first_4", description="FPN levels: first_4, all, or a list counted from 0 = finest")
        resize_stu: bool = Field(
            True, description="of maps that differ in size the student's is resized; if not, the teacher's"
        )
        decay: Decay = Field("none", description="how all terms change over the training")
        decay_unit: DecayUnit = Field("epoch", description="how often the decay takes a step")

    name = "pkd"
    title = "imitate FPN features up to each channel's scale and shift (Pearson correlation)"
    reference = (
        "PKD: General Distillation Framework for Object Detectors via Pearson Correlation Coefficient, "
        "NeurIPS 2022, arXiv 2207.02039"
    )
    weights = ("weight",)
    same_strides = False
    presets = {"pkd_two_stage_teacher": {"weight": 6.0}}

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """6 for two-stage students; 10 for one-stage ones with a one-stage teacher (preset pkd_two_stage_teacher: 6)."""
        return {"weight": 6.0 if student.family == "two_stage" else 10.0}

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms, one a level."""
        if not self.taps():
            return {}
        weight = self.params.weight * factor(progress, self.params.decay, self.params.decay_unit)
        losses = self.level_losses(student, teacher)
        return {f"loss_pkd_l{level}": loss * weight for level, loss in zip(self.levels, losses, strict=True)}

    def level_losses(self, student: Features, teacher: Features) -> list[Tensor]:
        """The unweighted loss of each chosen level, scalars."""
        pairs = zip(self.levels, self.aligners, strict=True)
        return [
            pattern_loss(align(student.neck[level]), teacher.neck[level], self.params.resize_stu)
            for level, align in pairs
        ]


def pattern_loss(student: Tensor, teacher: Tensor, resize_student: bool = True) -> Tensor:
    """0.5 * mean (Z(S) - Z(T))^2, in float32; 0 for maps with fewer than two values a channel.

    Shapes: (N, C, H, W) both, H and W may differ -> scalar.
    """
    with torch.autocast(student.device.type, enabled=False):
        student, teacher = student.float(), teacher.detach().float()
        if student.shape[-2:] != teacher.shape[-2:]:
            if resize_student:
                student = F.interpolate(student, teacher.shape[-2:], mode="bilinear", align_corners=False)
            else:
                teacher = F.interpolate(teacher, student.shape[-2:], mode="bilinear", align_corners=False)
        if student[:, 0].numel() < 2:
            return student.sum() * 0  # connected, for DDP waits for every parameter's gradient
        return F.mse_loss(standardised(student), standardised(teacher)) * 0.5


def standardised(level: Tensor) -> Tensor:
    """(x - mean) / (std + 1e-6) per channel over images and positions; a constant channel is 0, without gradient.

    Shapes: (N, C, H, W) float32 -> the same.

    Example:
        >>> standardised(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)).flatten()
        tensor([-0.7071,  0.7071])
    """
    mean = level.mean((0, 2, 3), keepdim=True)
    centred = level - mean  # kept for both uses: torch.var_mean is several times slower on a CPU
    variance = centred.square().sum((0, 2, 3), keepdim=True) / (level[:, 0].numel() - 1)
    varies = variance.detach() > (ROUNDING * mean.detach()).square()
    # The root's slope at 0 is infinite, so a constant channel must not come near it.
    scale = varies / (variance.where(varies, 1.0).sqrt() + EPSILON)
    return centred * scale
