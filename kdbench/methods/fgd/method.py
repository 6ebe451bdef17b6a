"""FGD: focal imitation, weighted by objects and by the teacher's attention, and global imitation of relations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdbench.methods.base import Batch, DetectorInfo, Features, MethodParams, Progress
from kdbench.methods.fgd.context import Context
from kdbench.methods.fgd.masks import focal_weights
from kdbench.methods.fgd.params import FGDParams
from kdbench.methods.shared.fpn import InheritingLevelMethod
from kdbench.methods.shared.levels import check_shapes

TERMS = ("fg", "bg", "attention", "relation")


class FGD(InheritingLevelMethod):
    """Per level, for the aligned student S and the teacher T (C channels, H * W cells), with A = |x|:

        Sp = H W softmax_cells(mean_c A / tau)       Ch = C softmax_channels(mean_cells A / tau)
        d2 = (S - T)^2 * Sp_T * Ch_T
        fg = sum d2 * Mf / N          bg = sum d2 * Mb / N                    (masks: see `focal_weights`)
        attention = sum |Ch_S - Ch_T| / N + sum |Sp_S - Sp_T| / N
        relation = sum (G_s(S) - G_t(T))^2 / N                               (context blocks G: see `Context`)
        loss = alpha fg + beta bg + gamma attention + lambda relation,  summed over the levels

    beta, gamma and lambda are given as multiples of alpha, as the authors advise to move all together. Terms:
    loss_fgd_fg, loss_fgd_bg, loss_fgd_attention, loss_fgd_relation.

    Shapes: neck[l] (N, C_l, H_l, W_l), of equal size in both detectors. Different channels: a 1x1 convolution on the
        student's map. Both context blocks learn; the teacher's map does not.
    Units: boxes in pixels of the input. attention and relation grow with the size of the maps, fg and bg do not: the
        published weights are for 800x1333.
    Batch: each image counts by itself (division by N), so two processes with half the batch each give the same gradient.
    Raises: InputError where the levels do not agree (see `check_levels`).
    Reference: Focal and Global Knowledge Distillation for Detectors, CVPR 2022, arXiv 2111.11837.
    Differs from the official code: teacher weights are inherited (`init_student_head`) only where the heads agree. Its
        recipes also clip the gradient's norm at 35, which is the recipe's `grad_clip` here.

    Example:
        >>> info = DetectorInfo("two_stage", 3, (16,) * 5, (4, 8, 16, 32, 64), (16, 32, 64, 128))
        >>> FGD(FGDParams(), info, info).levels
        (0, 1, 2, 3)
    """

    class Params(FGDParams):
        pass

    name = "fgd"
    title = "imitate FPN features weighted by objects and the teacher's attention, and relations between cells"
    reference = "Focal and Global Knowledge Distillation for Detectors, CVPR 2022, arXiv 2111.11837"
    weights = ("alpha",)
    presets = {"fgd_focal": {"lambda_ratio": 0.0}}

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        if self.taps() and self.params.lambda_ratio:
            widths = [self.required(teacher).neck_channels[level] for level in self.levels]
            self.student_context = nn.ModuleList(Context(width) for width in widths)
            self.teacher_context = nn.ModuleList(Context(width) for width in widths)

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """The official recipes' values. The fifth level of a two-stage detector is pooled, so it is left out."""
        if student.family == "two_stage":
            return {}
        values: dict[str, Any] = {"alpha": 1e-3, "gamma_ratio": 0.5, "lambda_ratio": 0.005, "levels": "all"}
        if student.head in ("FCOSHead", "RepPointsHead"):
            values["alpha"] = 1.6e-3
        return {**values, "temperature": 0.8} if student.head == "FCOSHead" else values

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms, each summed over the levels."""
        if not self.taps():
            return {}
        sums: dict[str, list[Tensor]] = {term: [] for term in self.weights_of_terms}
        for index, level in enumerate(self.levels):
            for term, value in self.level_terms(index, student.neck[level], teacher.neck[level], batch).items():
                sums[term].append(value)
        return {f"loss_fgd_{term}": torch.stack(sums[term]).sum() * w for term, w in self.weights_of_terms.items()}

    @property
    def weights_of_terms(self) -> dict[str, float]:
        """The weights of the terms that are on."""
        p: FGDParams = self.params
        ratios = (1.0, p.beta_ratio, p.gamma_ratio, p.lambda_ratio)
        return {term: p.alpha * ratio for term, ratio in zip(TERMS, ratios, strict=True) if ratio}

    def level_terms(self, index: int, student: Tensor, teacher: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The unweighted terms of one level, scalars in float32.

        Shapes: student, teacher (N, C, H, W), the student's before it is aligned.
        """
        student = self.aligners[index](student)
        check_shapes("fgd", student, teacher)
        found: dict[str, Tensor] = {}
        with torch.autocast(student.device.type, enabled=False):
            student, teacher = student.float(), teacher.detach().float()
            fg, bg = self.masks(batch, teacher)
            cells, channels = attention(teacher, self.params.temperature)
            error = torch.einsum("nchw,nc->nhw", (student - teacher).square(), channels) * cells
            found["fg"] = (error * fg).sum() / len(teacher)
            if self.params.beta_ratio:
                found["bg"] = (error * bg).sum() / len(teacher)
            if self.params.gamma_ratio:
                ours = attention(student, self.params.temperature)
                gaps = [F.l1_loss(*pair, reduction="sum") for pair in zip(ours, (cells, channels), strict=True)]
                found["attention"] = (gaps[0] + gaps[1]) / len(teacher)
            if self.params.lambda_ratio:
                one, other = self.student_context[index](student), self.teacher_context[index](teacher)
                found["relation"] = F.mse_loss(one, other, reduction="sum") / len(teacher)
        return found

    def masks(self, batch: Batch, level: Tensor) -> tuple[Tensor, Tensor]:
        """Foreground and background weights of a level, (N, H, W) each."""
        scales = batch.image_sizes if self.params.box_scale == "img" else [batch.size] * len(batch.boxes)
        return focal_weights(batch.boxes, scales, (int(level.shape[-2]), int(level.shape[-1])))


def attention(maps: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Where and in which channels a map is strong; both have the mean 1.

    Shapes: (N, C, H, W) -> cells (N, H, W), channels (N, C).
    """
    N, C, H, W = maps.shape
    strength = maps.abs()
    cells = F.softmax(strength.mean(1).flatten(1) / temperature, dim=1) * (H * W)
    channels = F.softmax(strength.mean((2, 3)) / temperature, dim=1) * C
    return cells.reshape(N, H, W), channels
