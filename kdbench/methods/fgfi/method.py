"""FGFI: imitate the teacher's features near objects only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kdbench.errors import InputError
from kdbench.methods.base import Batch, Box, DetectorInfo, Features, Method, MethodParams, Progress, Taps
from kdbench.methods.fgfi.masks import assigned_masks, legacy_anchors, rpn_anchors, single_mask
from kdbench.methods.fgfi.params import Difference, FGFIParams
from kdbench.methods.shared.adapters import adapter
from kdbench.methods.shared.levels import check_levels, check_widths
from kdbench.methods.shared.losses import region_mean, squared_error
from kdbench.methods.shared.masks import Size
from kdbench.methods.shared.schedules import factor

TINY = 1e-8
"""Added to the teacher's element before it divides."""


class FGFI(Method):
    """A cell counts if one of its anchors overlaps an object more than phi times as well as the map's best anchor does.

    Adapted student S, teacher T, mask M of 0 and 1, C channels:

        loss = weight * decay * mean_l  sum(M_l (S_l - T_l)^2) / max(1, 2 C sum(M_l))

    Flavour fpn: each box acts on the FPN level of its size, with the anchors of the student's dense head (of an RPN for
    a head without anchors). Flavour original (preset fgfi_original): one backbone stage, every box, nine legacy anchors,
    a ReLU after the adaptation, and positions counted without channels. Term: loss_imitation.

    Shapes: neck[l] (N, C_l, H_l, W_l), or backbone[stage] (N, C, H, W).
    Units: boxes and anchors in pixels of the padded input; crowd boxes are not used.
    Batch: the denominator counts the masked cells of the whole batch, so two processes with half the batch each give the
        same gradient only if both halves have as many.
    Raises: InputError where the detectors do not suit.
    Reference: Distilling Object Detectors with Fine-grained Feature Imitation, CVPR 2019, arXiv 1906.03609; on FPN
        levels as in the official code of DeFeat (arXiv 2103.14475).
    Differs from the official code: a batch without objects gives 0, where the original divides by 0; the original's 400
        iterations without the term, of about 70,000, are a share of the training (`warmup_frac`).

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16, 16), (8, 16), (16, 32, 64, 128))
        >>> FGFI(FGFIParams(), info, info).taps()
        Taps(neck=True, backbone=(), roi_logits=None, dense=False, assigned=False, head_losses=False, masks=False)
    """

    class Params(FGFIParams):
        pass

    name = "fgfi"
    title = "imitate FPN features near objects: where anchors overlap them nearly as well as the best"
    reference = "Distilling Object Detectors with Fine-grained Feature Imitation, CVPR 2019, arXiv 1906.03609"
    weights = ("weight",)
    presets = {
        "fgfi_original": {
            "flavour": "original",
            "weight": 0.01,
            "norm": "position",
            "adapt_relu": True,
            "warmup_frac": 0.0057,
        }
    }

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        p = self.params
        if not self.taps():
            return
        teacher = self.required(teacher)
        ours, theirs = (_widths(p, info) for info in (student, teacher))
        how: dict[str, Any] = {"adapt": p.adapt, "relu": p.adapt_relu, "init_std": p.adapt_init_std}
        self.adapters = nn.ModuleList(adapter(*pair, **how) for pair in zip(ours, theirs, strict=True))
        self.original = p.flavour == "original"
        self.strides = (4 << p.stage,) if self.original else student.neck_strides
        anchors: Sequence[Sequence[Box]] = [legacy_anchors()]
        if not self.original:
            anchors = student.base_anchors or rpn_anchors(self.strides)
        for index, level in enumerate(anchors):
            # Of the detectors' configuration, so no part of the state.
            self.register_buffer(f"anchors_{index}", torch.tensor(level, dtype=torch.float32), persistent=False)

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse levels, stages and widths that the detectors have not."""
        super().check(params, student, teacher)
        assert isinstance(params, FGFIParams)
        if not params.weight:
            return
        teacher = teacher or student
        if params.flavour == "fpn":
            check_levels("fgfi", None, "weight", student, teacher)
            if student.base_anchors and len(student.base_anchors) != len(student.neck_strides):
                raise InputError(
                    f"method fgfi: {student.head} has anchors on {len(student.base_anchors)} levels and the FPN has "
                    f"{len(student.neck_strides)}; choose flavour: original (preset fgfi_original), or weight: 0"
                )
        for who, info in (("student", student), ("teacher", teacher)):
            stages = len(info.backbone_channels)
            if params.flavour == "original" and params.stage >= stages:
                raise InputError(
                    f"method fgfi: stage {params.stage}: the {who}'s backbone has {stages} stages; choose from "
                    f"{list(range(stages))} (0 = C2), or flavour: fpn"
                )
        ours, theirs = (_widths(params, info) for info in (student, teacher))
        check_widths("fgfi", "maps", params.adapt, ours, theirs)

    def taps(self) -> Taps:
        p: FGFIParams = self.params
        if not p.weight:
            return Taps()
        return Taps(neck=True) if p.flavour == "fpn" else Taps(backbone=(p.stage,))

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted term. Every adaptation layer is used in each step, as DistributedDataParallel demands."""
        p: FGFIParams = self.params
        if not self.taps():
            return {}
        started = progress.fraction >= p.warmup_frac
        scale = p.weight * factor(progress, p.decay, p.decay_unit, p.warmup_iters) * started
        return {"loss_imitation": self.level_means(student, teacher, batch).mean() * scale}

    def level_means(self, student: Features, teacher: Features, batch: Batch) -> Tensor:
        """The unweighted error of each map, (L,)."""
        p: FGFIParams = self.params
        ours, theirs = (maps.backbone.values() if self.original else maps.neck for maps in (student, teacher))
        masks = self.masks(batch, [_size(level) for level in theirs])
        means = []
        for adapt, one, other, mask in zip(self.adapters, ours, theirs, masks, strict=True):
            error = difference(adapt(one), other, p.difference)
            means.append(region_mean(error, mask, other.shape[1], p.norm))
        return torch.stack(means)

    def masks(self, batch: Batch, sizes: Sequence[Size]) -> tuple[Tensor, ...]:
        """The cells that count on each map, (N, H_l, W_l) bool."""
        anchors = [self.get_buffer(f"anchors_{index}") for index in range(len(sizes))]
        if self.original:
            return (single_mask(batch.boxes, anchors[0], self.strides[0], sizes[0], self.params.phi),)
        return assigned_masks(batch.boxes, anchors, self.strides, sizes, self.params.phi)


def difference(student: Tensor, teacher: Tensor, kind: Difference) -> Tensor:
    """The difference of two maps, summed over channels, in float32; the teacher gets no gradient.

    Shapes: (N, C, H, W) both -> (N, H, W).
    """
    if kind == "squared":
        return squared_error(student, teacher)
    with torch.autocast(student.device.type, enabled=False):
        student, teacher = student.float(), teacher.detach().float()
        if kind == "div":
            return (1 - student / (teacher + TINY)).square().sum(1)
        gap = (student - teacher).abs()
        return torch.where(gap < 1, gap, gap.square()).sum(1)


def _widths(params: FGFIParams, info: DetectorInfo) -> tuple[int, ...]:
    return info.neck_channels if params.flavour == "fpn" else (info.backbone_channels[params.stage],)


def _size(level: Tensor) -> Size:
    return int(level.shape[-2]), int(level.shape[-1])
