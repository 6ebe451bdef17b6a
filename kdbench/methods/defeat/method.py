"""DeFeat: imitate the teacher with objects and background apart, so that neither drowns the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kdbench.methods.base import Batch, DetectorInfo, Features, Method, MethodParams, Progress, Taps
from kdbench.methods.defeat import check as defeat_check
from kdbench.methods.defeat.params import DeFeatParams
from kdbench.methods.defeat.regions import Regions, regions
from kdbench.methods.defeat.roi_kl import group_kl
from kdbench.methods.shared import masks
from kdbench.methods.shared.adapters import adapter
from kdbench.methods.shared.losses import region_mean, squared_error
from kdbench.methods.shared.schedules import factor


class DeFeat(Method):
    """Every distilled tensor is split by the ground truth; each part has its own size and its own weight.

    Maps (FPN levels l, optionally backbone stages): adapted student S, teacher T, mask M of 0 and 1, C channels:

        loss_fg = w_fg * decay * mean_l  sum(M_l (S_l - T_l)^2)       / max(1, 2 C sum(M_l))
        loss_bg = w_bg * decay * mean_l  sum((1 - M_l)(S_l - T_l)^2)  / max(1, 2 C sum(1 - M_l))

    RoI class logits, over positive and over negative proposals: w * decay * T^2 * mean KL(teacher || student).
    Terms: loss_neck_fg, loss_neck_bg, loss_backbone_fg, loss_backbone_bg, loss_head_fg, loss_head_bg (or loss_head_all,
    loss_head_fg_correct, loss_head_correct).

    Shapes: neck[l] (N, C_l, H_l, W_l), backbone[s] (N, C_s, H_s, W_s), logits (R, K+1).
    Units: boxes in pixels of the padded input.
    Raises: InputError where the detectors do not suit (see `defeat.check`).
    Reference: Distilling Object Detectors via Decoupled Features, CVPR 2021, arXiv 2103.14475.
    Differs from the paper: as the released code, map losses count channels (`norm`), and the head term is off by
        default; unlike that code, labels are those of the sampling that gave the proposals, background is the label
        K, each group has its own temperature, and student and teacher may differ in width.

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16, 16), (8, 16), (16, 32, 64, 128))
        >>> DeFeat(DeFeatParams(), info, info).taps()
        Taps(neck=True, backbone=(), roi_logits=None)
    """

    class Params(DeFeatParams):
        pass

    name = "defeat"
    title = "imitate FPN features and RoI logits, objects and background apart"
    reference = "Distilling Object Detectors via Decoupled Features, CVPR 2021, arXiv 2103.14475"
    weights = (
        "neck_fg_weight",
        "neck_bg_weight",
        "backbone_fg_weight",
        "backbone_bg_weight",
        "head_fg_weight",
        "head_bg_weight",
    )
    presets = {
        "defeat_neck": {"head_fg_weight": 0.0, "head_bg_weight": 0.0},
        "defeat_full": {"head_fg_weight": 2.0, "head_bg_weight": 2.0},
    }

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        self.num_classes = student.num_classes
        self.strides = student.neck_strides
        if not self.taps():
            return
        teacher = self.required(teacher)
        p: DeFeatParams = self.params
        how: dict[str, Any] = {"adapt": p.adapt, "init_std": p.adapt_init_std}
        if p.neck:
            widths = zip(student.neck_channels, teacher.neck_channels, strict=True)
            self.neck_adapters = nn.ModuleList(adapter(*pair, relu=False, **how) for pair in widths)
        if p.backbone:
            ours, theirs = student.backbone_channels, teacher.backbone_channels
            self.backbone_adapters = nn.ModuleDict(
                {str(s): adapter(ours[s], theirs[s], relu=True, **how) for s in p.backbone_stages}
            )

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse terms that the detectors cannot have; see `defeat.check`."""
        super().check(params, student, teacher)
        assert isinstance(params, DeFeatParams)
        defeat_check.check(params, student, teacher or student)

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """The released 3 and 12 for two-stage detectors; for one-stage 4 and 16, the author's for COCO."""
        fg, bg = (3.0, 12.0) if student.family == "two_stage" else (4.0, 16.0)
        return {"neck_fg_weight": fg, "neck_bg_weight": bg}

    def taps(self) -> Taps:
        p: DeFeatParams = self.params
        return Taps(
            neck=bool(p.neck),
            backbone=p.backbone_stages if p.backbone else (),
            roi_logits=p.head_proposals if p.head else None,
        )

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms. Every adaptation layer is used each step, in warm-up too, as DDP demands."""
        p: DeFeatParams = self.params
        scale = factor(progress, p.decay, p.decay_unit, p.warmup_iters)
        terms: dict[str, Tensor] = {}
        if p.neck:
            for side, means in self.neck_means(student, teacher, batch).items():
                terms[f"loss_neck_{side}"] = means.mean() * (p.neck[side] * scale)
        if p.backbone:
            for side, means in self.backbone_means(student, teacher, batch).items():
                terms[f"loss_backbone_{side}"] = means.mean() * (p.backbone[side] * scale)
        for group, (weight, temperature) in p.head.items():
            losses = [group_kl(logits, group, self.num_classes, temperature) for logits in batch.roi_logits]
            terms[f"loss_head_{group}"] = torch.stack(losses).sum() * (weight * scale)
        return terms

    def neck_means(self, student: Features, teacher: Features, batch: Batch) -> dict[str, Tensor]:
        """Side -> its unweighted error at each level, (L,)."""
        sizes = [_size(level) for level in teacher.neck]
        split = self._regions(self.neck_masks(batch, sizes), batch, self.strides)
        return self._means(self.params.neck, self.neck_adapters, student.neck, teacher.neck, split)

    def backbone_means(self, student: Features, teacher: Features, batch: Batch) -> dict[str, Tensor]:
        """Side -> its unweighted error at each stage, (S,)."""
        stages = self.params.backbone_stages
        ours, theirs = [student.backbone[s] for s in stages], [teacher.backbone[s] for s in stages]
        stride = self.strides[0]
        size = _size(teacher.neck[0]) if teacher.neck else (-(-batch.size[0] // stride), -(-batch.size[1] // stride))
        (finest,) = self._regions([self.backbone_mask(batch, size)], batch, [stride])
        split = [finest.resized(_size(stage)) for stage in theirs]
        return self._means(self.params.backbone, self.backbone_adapters.values(), ours, theirs, split)

    def neck_masks(self, batch: Batch, sizes: Sequence[masks.Size]) -> tuple[Tensor, ...]:
        """The foreground of each level, (N, H_l, W_l) bool."""
        if self.params.mask == "one":
            return masks.one_masks(len(batch.boxes), sizes, batch.boxes[0].device)
        return masks.gt_masks(batch.boxes, self.strides, sizes, self.params.mask_margin)

    def backbone_mask(self, batch: Batch, size: masks.Size) -> Tensor:
        """The foreground at the finest stride, (N, H, W) bool."""
        if self.params.mask == "one":
            return masks.one_masks(len(batch.boxes), [size], batch.boxes[0].device)[0]
        return masks.backbone_mask(batch.boxes, self.strides[0], size, self.params.mask_margin)

    def _regions(self, painted: Sequence[Tensor], batch: Batch, strides: Sequence[int]) -> tuple[Regions, ...]:
        options = {"ignore_mode": self.params.ignore_mode, "exclude_padding": self.params.exclude_padding}
        return regions(painted, batch, strides, **options)

    def _means(
        self,
        sides: Iterable[str],
        adapters: Iterable[nn.Module],
        ours: Sequence[Tensor],
        theirs: Sequence[Tensor],
        split: Sequence[Regions],
    ) -> dict[str, Tensor]:
        found: dict[str, list[Tensor]] = {side: [] for side in sides}
        for adapt, student, teacher, region in zip(adapters, ours, theirs, split, strict=True):
            error = squared_error(adapt(student), teacher)
            for side, means in found.items():
                means.append(region_mean(error, getattr(region, side), teacher.shape[1], self.params.norm))
        return {side: torch.stack(means) for side, means in found.items()}


def _size(level: Tensor) -> masks.Size:
    return int(level.shape[-2]), int(level.shape[-1])
