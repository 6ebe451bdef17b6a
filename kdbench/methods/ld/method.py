"""LD: distil the distributions over a box's sides, as logits are distilled."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kdbench.errors import InputError
from kdbench.methods.base import Assigned, Batch, DetectorInfo, Features, Method, MethodParams, Progress, Taps
from kdbench.methods.ld.region import region_weights
from kdbench.methods.shared.levels import check_levels

LD_ROWS, VLR_ROWS = 4.0, 16.0
"""What the official code divides the rows' sums by."""


class LD(Method):
    """In a head of the GFL kind each side of a box is a distribution over B bins. With teacher q, student p and temperature T:

        kl(row) = T^2 / B * sum_b q_b (log q_b - log p_b)                    q = softmax(z_t / T), p = softmax(z_s / T)

        loss_ld      = w_ld  * sum over the 4 sides of the positives of omega kl / 4
        loss_ld_vlr  = w_vlr * sum over the 4 sides of the region's anchors of iou kl / 16       (see `region_weights`)
        loss_kd      = w_kd  * mean over the positives of kl of the class logits

    per level, all levels added. Positives are the anchors to which the student's own assignment gave a class; omega is the
    student's highest class score there, without gradient; iou is the overlap with the object that the anchor belongs to.

    Shapes: scores[l] (N, K, H_l, W_l), boxes[l] (N, 4 * B, H_l, W_l); one anchor a cell.
    Batch: loss_ld and loss_ld_vlr are sums over the images' rows, so twice the images give twice the loss, and the mean of
        two processes is half of what one with both halves has; loss_kd is a mean over the batch's positives of a level.
    Raises: InputError where one of the detectors has no such head, or the heads differ.
    Reference: Localization Distillation for Dense Object Detection, CVPR 2022, arXiv 2102.12252.
    Differs from the official code: an image without objects gives zeros for the region, where that fails; the optional
        imitation of features is left out (its decoupled form cannot be right; FitNet and FGFI are methods of their own).

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16,), (8,), (16,) * 4, head="GFLHead", score_channels=3, bins=17)
        >>> LD(LD.Params(), info, info).taps().dense
        True
    """

    class Params(MethodParams):
        """A term with weight 0 is not computed. The defaults are those of mmdet's LDHead."""

        w_ld: float = Field(0.25, ge=0, description="distributions of the positives' sides")
        T_ld: float = Field(10.0, ge=1, description="temperature of the sides' distributions, in both regions")
        w_vlr: float = Field(0.0, ge=0, description="distributions in the valuable localisation region; full LD: 0.25")
        w_kd: float = Field(0.0, ge=0, description="class logits of the positives; full LD: 10")
        T_kd: float = Field(2.0, ge=1, description="temperature of the class logits")

    name = "ld"
    title = "distil the distributions over box sides (and class logits) of GFL-type heads"
    reference = "Localization Distillation for Dense Object Detection, CVPR 2022, arXiv 2102.12252"
    weights = ("w_ld", "w_vlr", "w_kd")
    presets = {"ld_full": {"w_vlr": 0.25, "w_kd": 10.0}}

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        self.num_classes, self.bins = student.num_classes, student.bins
        if self.taps():
            self.required(teacher)

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse heads without distributions, and heads that differ."""
        super().check(params, student, teacher)
        assert isinstance(params, LD.Params)
        if not (params.w_ld or params.w_vlr or params.w_kd):
            return
        teacher = teacher or student
        for who, info in (("student", student), ("teacher", teacher)):
            if not info.bins:
                raise InputError(
                    f"method ld: the {who}'s {info.head or 'head'} predicts no distributions over box sides; use a GFL-type "
                    "head on both sides (mmdet's gfl/..., task shapes_gfl), or a method on features such as fgd, pkd, mgd"
                )
        if student.bins != teacher.bins:
            raise InputError(
                f"method ld: the student's sides have {student.bins} bins, the teacher's {teacher.bins}; give both heads "
                "the same reg_max"
            )
            if info.score_channels != info.num_classes:
                raise InputError(
                    f"method ld: the {who}'s head has {info.score_channels} scores a cell for {info.num_classes} classes; "
                    "use a head with one anchor a cell"
                )
        check_levels("ld", None, "w_ld, w_vlr, w_kd", student, teacher)

    def taps(self) -> Taps:
        p = self.params
        on = bool(p.w_ld or p.w_vlr or p.w_kd)
        return Taps(dense=on, assigned=on)

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms, summed over the levels."""
        p = self.params
        if not self.taps():
            return {}
        names = {"loss_ld": p.w_ld, "loss_ld_vlr": p.w_vlr, "loss_kd": p.w_kd}
        regions = self.regions(batch) if p.w_vlr else [None] * len(batch.assigned)
        levels = zip(student.scores, student.boxes, teacher.scores, teacher.boxes, batch.assigned, regions, strict=True)
        found = [self.level_terms(*level) for level in levels]
        return {name: torch.stack([f[name] for f in found]).sum() * weight for name, weight in names.items() if weight}

    def regions(self, batch: Batch) -> list[Tensor]:
        """Per level, the weight of each anchor in the valuable localisation region, (N, A_l)."""
        images = []
        for image, boxes in enumerate(batch.boxes):
            images.append(region_weights([level.anchors[image] for level in batch.assigned], boxes))
        return [torch.stack(level) for level in zip(*images, strict=True)]

    def level_terms(
        self,
        scores: Tensor,
        sides: Tensor,
        teacher_scores: Tensor,
        teacher_sides: Tensor,
        assigned: Assigned,
        region: Tensor | None,
    ) -> dict[str, Tensor]:
        """The unweighted terms of one level. Every anchor is computed and most count 0: no waiting for the device.

        Shapes: scores (N, K, H, W), sides (N, 4 * B, H, W), region (N, A) with A = H * W.
        """
        p, found = self.params, {}
        with torch.autocast(scores.device.type, enabled=False):
            positive = ((assigned.labels >= 0) & (assigned.labels < self.num_classes)).float()
            logits = by_anchor(scores, self.num_classes)[:, :, 0]
            if p.w_ld or p.w_vlr:
                ours, theirs = by_anchor(sides, self.bins), by_anchor(teacher_sides, self.bins)
                apart = divergence(ours, theirs, p.T_ld).sum(2)
                if p.w_ld:
                    omega = logits.detach().amax(2).sigmoid()
                    found["loss_ld"] = weighted_loss(apart, omega * positive, LD_ROWS)
                if p.w_vlr:
                    assert region is not None
                    found["loss_ld_vlr"] = weighted_loss(apart, region, VLR_ROWS)
            if p.w_kd:
                apart = divergence(logits, by_anchor(teacher_scores, self.num_classes)[:, :, 0], p.T_kd)
                rows = positive * assigned.label_weights
                found["loss_kd"] = weighted_loss(apart, rows, positive.sum().clamp(min=1))
        return found


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 times the mean over the columns of q (log q - log p). The teacher gets no gradient.

    Shapes: (..., B) both -> (...), float32.
    """
    q = F.log_softmax(teacher.detach().float() / temperature, dim=-1)
    p = F.log_softmax(student.float() / temperature, dim=-1)
    return F.kl_div(p, q, reduction="none", log_target=True).mean(-1) * temperature**2


def weighted_loss(rows: Tensor, weights: Tensor, avg_factor: Tensor | float) -> Tensor:
    """Sum of the weighted rows over `avg_factor`. Shapes: equal -> scalar."""
    return (rows * weights).sum() / avg_factor


def by_anchor(maps: Tensor, columns: int) -> Tensor:
    """A map's channels as rows of `columns`, one anchor a cell, position-major.

    Shapes: (N, R * columns, H, W) -> (N, H * W, R, columns).
    """
    N, C, H, W = maps.shape
    return maps.permute(0, 2, 3, 1).reshape(N, H * W, C // columns, columns)
