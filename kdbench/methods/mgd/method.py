"""MGD: erase parts of the student's map and let it regenerate the teacher's whole map from the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdbench.methods.base import Batch, DetectorInfo, Features, MethodParams, Progress
from kdbench.methods.mgd.block import Generation
from kdbench.methods.mgd.params import MGDParams
from kdbench.methods.shared.fpn import InheritingLevelMethod
from kdbench.methods.shared.levels import check_shapes

FULL = (800, 1333)
"""Short and long side of the inputs, in pixels, for which the published alphas were tuned."""


class MGD(InheritingLevelMethod):
    """A small convolutional block a level must rebuild the teacher's map T from a randomly erased student's map S.

    With U uniform in [0, 1), drawn anew for each step, level and image, one number a position (`mask_on_channel`: one a
    channel), and the block G = 3x3 convolution, ReLU, 3x3 convolution:

        D = 0 where U > 1 - lambda, else 1        loss_l = alpha * s * sum (G(S_l * D) - T_l)^2 / N

    The sum is over channels and positions, erased or not, so alpha suits one size of input. s is, by `norm`,

        area  800 * 1333 / (H * W) of the padded input, on inputs of which neither the short side reaches 800 nor the long
              one 1333; 1 on others, so that at 800x1333 the loss is the official one
        sum   1, the official code's
        mean  1 / (C_l * H_l * W_l); alpha is then a weight of ordinary size, alpha * C_l * H_l * W_l of the official one

    Terms: loss_mgd_l<level>, one a level, all added.

    Shapes: neck[l] (N, C_l, H_l, W_l), of equal size in both detectors. Different channels: a 1x1 convolution on the
        student's map, before it is erased.
    Batch: each image counts by itself (division by N), so two processes with half the batch each give the same gradient,
        but for the random numbers, which each draws for itself.
    Raises: InputError where the levels do not agree (see `check_levels`).
    Reference: Masked Generative Distillation, ECCV 2022, arXiv 2205.01529.
    Differs from the official code: `norm` on small inputs; teacher weights are inherited (`init_student_head`) only where
        the heads agree, as a part of a head that expects other maps would be a worse start than none.
        The official recipes also clip the gradient's norm at 35, which is the recipe's `grad_clip` here.

    Example:
        >>> info = DetectorInfo("two_stage", 3, (16,) * 5, (4, 8, 16, 32, 64), (16, 32, 64, 128))
        >>> MGD(MGDParams(), info, info).levels
        (0, 1, 2, 3)
    """

    class Params(MGDParams):
        pass

    name = "mgd"
    title = "regenerate the teacher's FPN features from the student's randomly erased ones"
    reference = "Masked Generative Distillation, ECCV 2022, arXiv 2205.01529"
    weights = ("alpha_mgd",)
    presets = {"mgd_channel": {"mask_on_channel": True}}

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        if self.taps():
            theirs = self.required(teacher).neck_channels
            self.generators = nn.ModuleList(Generation(theirs[level]) for level in self.levels)

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """The official recipes' values. The fifth level of a two-stage detector is pooled, so it is left out."""
        if student.family == "two_stage":
            return {"alpha_mgd": 5e-7, "lambda_mgd": 0.45, "levels": "first_4", "init_student_head": False}
        return {"alpha_mgd": 2e-5, "lambda_mgd": 0.65, "levels": "all", "init_student_head": True}

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms, one a level."""
        if not self.taps():
            return {}
        terms = {}
        for level, align, generate in zip(self.levels, self.aligners, self.generators, strict=True):
            ours, theirs = align(student.neck[level]), teacher.neck[level].detach()
            check_shapes("mgd", ours, theirs)
            error = squared_distance(generate(ours * self.keep_mask(ours)), theirs)
            terms[f"loss_mgd_l{level}"] = error * (self.params.alpha_mgd * self.scale(batch, theirs))
        return terms

    def keep_mask(self, level: Tensor) -> Tensor:
        """Which parts of a map are kept: 1, or 0 where erased, in the map's precision.

        Shapes: (N, C, H, W) -> (N, 1, H, W), or (N, C, 1, 1) for channels.
        """
        N, C, H, W = level.shape
        shape = (N, C, 1, 1) if self.params.mask_on_channel else (N, 1, H, W)
        erased = self.draw(shape, level) > 1 - self.params.lambda_mgd
        return (~erased).to(level.dtype)

    def draw(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform random numbers in [0, 1), float32, from torch's own stream. Override it to give other numbers."""
        return torch.rand(shape, device=like.device)

    def scale(self, batch: Batch, level: Tensor) -> float:
        """The factor s of the class's formula.

        Shapes: level (N, C, H, W).
        """
        if self.params.norm == "area":
            return area_factor(batch.size)
        return 1.0 if self.params.norm == "sum" else 1 / level[0].numel()


def area_factor(size: tuple[int, int]) -> float:
    """How many times an input fits into 800x1333; 1 for one that reaches 800 or 1333, as all of the papers' do.

    Units: height, width in pixels, padding included.

    Example:
        >>> area_factor((800, 1088)), area_factor((400, 500))
        (1.0, 5.332)
    """
    if min(size) >= FULL[0] or max(size) >= FULL[1]:
        return 1.0
    return FULL[0] * FULL[1] / (size[0] * size[1])


def squared_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """sum (ours - theirs)^2 / N in float32, for half precision overflows at once.

    Shapes: (N, C, H, W) both -> scalar.
    """
    with torch.autocast(ours.device.type, enabled=False):
        return F.mse_loss(ours.float(), theirs.float(), reduction="sum") / len(ours)
