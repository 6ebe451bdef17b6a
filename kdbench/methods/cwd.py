"""CWD: imitate where each channel of the teacher's maps looks, not how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kdbench.errors import InputError
from kdbench.methods.base import Batch, DetectorInfo, Features, MethodParams, Progress, Taps
from kdbench.methods.shared.agreement import same_anchors
from kdbench.methods.shared.fpn import LevelMethod
from kdbench.methods.shared.levels import Levels, check_shapes

Source = Literal["fpn", "cls"]


class CWD(LevelMethod):
    """A softmax over the positions makes each channel a distribution; the student's is pulled to the teacher's.

    With a = softmax(T_l / tau), b = softmax(S_l / tau) over the H * W positions of each channel of each image:

        loss_l = weight * tau^2 / (N * C) * sum over images, channels and positions of a (log a - log b)

    `source` names the maps: "fpn", or "cls", the class maps of a one-stage head before the sigmoid (the preset cwd_cls).
    Terms: loss_cwd_l<level>, one a level, all added.

    Shapes: neck[l] (N, C_l, H_l, W_l), scores[l] (N, a*K, H_l, W_l), of equal size in both detectors. FPN maps of
        different channels: a 1x1 convolution on the student's map.
    Batch: each image counts by itself (division by N), so two processes with half the batch each give the same gradient.
        Positions in the padding count as any other.
    Raises: InputError where the detectors' levels or class maps do not agree (see `check`).
    Reference: Channel-wise Knowledge Distillation for Dense Prediction, ICCV 2021, arXiv 2011.13256.
    Differs from the paper: nothing; the convolution is not in the released code, which needs equal channels.

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16, 16), (8, 16), (16, 32, 64, 128), score_channels=27)
        >>> CWD(CWD.Params(source="cls"), info, info).taps().dense
        True
    """

    class Params(MethodParams):
        """With weight 0 nothing is computed."""

        weight: float = Field(10.0, ge=0, description="weight of each level's term")
        tau: float = Field(1.0, gt=0, description="temperature; below 0.5 the gradient is spiky")
        levels: Levels = Field("all", description="levels: all, first_4, or a list counted from 0 = finest")
        source: Source = Field("fpn", description="FPN maps, or class maps of a one-stage head like the teacher's")

    name = "cwd"
    title = "imitate where each channel of FPN or class maps is active (softmax over positions)"
    reference = "Channel-wise Knowledge Distillation for Dense Prediction, ICCV 2021, arXiv 2011.13256"
    weights = ("weight",)
    presets = {"cwd_cls": {"source": "cls"}}

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse levels of different strides, and class maps whose channels do not mean the same.

        Raises:
            InputError: with the reason and the alternatives.
        """
        super().check(params, student, teacher)
        assert isinstance(params, CWD.Params)
        if params.weight and params.source == "cls":
            _check_class_maps(student, teacher or student)

    def taps(self) -> Taps:
        cls = self.params.source == "cls"
        return Taps(neck=not cls, dense=cls) if self.params.weight else Taps()

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms, one a level."""
        if not self.taps():
            return {}
        losses = {}
        for level, ours, theirs in zip(self.levels, self._ours(student), self._maps(teacher), strict=True):
            check_shapes("cwd", ours, theirs)
            losses[f"loss_cwd_l{level}"] = channel_kl(ours, theirs, self.params.tau) * self.params.weight
        return losses

    def _ours(self, student: Features) -> list[Tensor]:
        maps = self._maps(student)
        if self.params.source == "cls":
            return maps
        return [align(level) for align, level in zip(self.aligners, maps, strict=True)]

    def _maps(self, features: Features) -> list[Tensor]:
        maps: Sequence[Tensor] = features.scores if self.params.source == "cls" else features.neck
        return [maps[level] for level in self.levels]


def channel_kl(student: Tensor, teacher: Tensor, tau: float = 1.0) -> Tensor:
    """tau^2 * KL(teacher || student) of the channels' distributions over positions, mean over images and channels.

    In float32: a probability of a large map is too small for half precision.

    Shapes: (N, C, H, W) both -> scalar.

    Example:
        >>> channel_kl(torch.ones(1, 1, 1, 2), torch.tensor([0.0, 1.0986]).reshape(1, 1, 1, 2))
        tensor(0.1308)
    """
    with torch.autocast(student.device.type, enabled=False):
        log_b = _log_distribution(student, tau)
        log_a = _log_distribution(teacher.detach(), tau)
        rows = student.shape[0] * student.shape[1]
        return F.kl_div(log_b, log_a, reduction="sum", log_target=True) * (tau**2 / rows)


def _log_distribution(level: Tensor, tau: float) -> Tensor:
    flat = level.float().flatten(2)
    return (flat if tau == 1 else flat / tau).log_softmax(-1)


def _check_class_maps(student: DetectorInfo, teacher: DetectorInfo) -> None:
    for who, info in (("student", student), ("teacher", teacher)):
        if info.family != "one_stage" or not info.score_channels:
            raise InputError(
                f"method cwd: source: cls distils class maps, and the {who}'s {info.head or info.family} has none; "
                "set source: fpn, or use one-stage detectors with a dense head"
            )
    if student.score_channels != teacher.score_channels:
        raise InputError(
            f"method cwd: source: cls needs class maps of equal channels (anchors of a cell x classes), and the student's "
            f"{student.head} has {student.score_channels}, the teacher's {teacher.head} {teacher.score_channels}; "
            "set source: fpn, or use a teacher with the student's head and anchors"
        )
    several = student.score_channels > student.num_classes
    if several and not same_anchors(student, teacher):
        raise InputError(
            "method cwd: source: cls pairs class maps channel by channel, and student and teacher have different anchors; "
            "set source: fpn, or use a teacher with the student's anchors"
        )
