"""LGD: the student teaches itself, by a small branch that knows the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kdbench.errors import InputError
from kdbench.methods.base import (
    Batch,
    DetectorInfo,
    Features,
    GradientRules,
    Method,
    MethodParams,
    OwnOptimizer,
    Progress,
    Taps,
)
from kdbench.methods.lgd import descriptors as lgd_descriptors
from kdbench.methods.lgd.branch import InstructiveBranch
from kdbench.methods.lgd.check import check
from kdbench.methods.lgd.hint import Adapter, hint_loss
from kdbench.methods.lgd.params import LGDParams
from kdbench.methods.lgd.tokens import Tokens, tokens_of


class LGD(Method):
    """Distillation without a teacher. A branch makes maps Z of the FPN's shapes out of the labels and the student's maps S:
    it encodes each object's box and class, pools S inside the box, mixes both by attention over the image's objects, and
    paints the resulting vectors over the boxes again. The student's own head learns on Z too, which trains the branch,
    and S, through an adapter A of 3x3 convolutions, is pulled to Z:

        loss_instructive_<name> = instructive_loss_weight * (the student's own loss <name> on Z)
        loss_hint = lambda_hint * mean (IN(A(S_l)) - IN(Z_l))^2     over all elements of all levels together

    IN standardises each channel of each image over its cells, so loss_hint is 2 - 2 * correlation: 0 to 4, about 2 for
    unrelated maps. Levels of one cell are left out of it. Z is constant in it; so is S before `start_frac` and in the last
    `stop_frac` of the training, where A learns alone. Until `freeze_backbone_frac` the backbone is not updated.

    Shapes: neck[l] (N, C, H_l, W_l), the same C on all levels.
    Units: boxes in pixels of the padded input.
    Batch: in loss_hint each image counts by itself; the student's own losses are normalised as the detector does it. For
        two processes with half the batch each that is another gradient wherever the detector's own is, and a two-stage
        detector draws the boxes of its second pass at random.
    Raises: InputError for detectors or values that do not suit (see `lgd.check`), and for `segmentation` on data without
        masks.
    Reference: LGD: Label-guided Self-distillation for Object Detection, AAAI 2022, arXiv 2109.11496.
    Differs from the official code: its iteration numbers are shares of the training; the embeddings are as wide as the FPN,
        not 256; a one-stage head assigns its targets again on Z, which gives others only where it looks at predictions;
        batch normalisation in the head is frozen on Z; masks are any, not polygons, and their 7x7 crops are cut by area;
        levels of one cell are skipped where that raises; the branch runs per image, to equal results.

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16,) * 2, (8, 16), (16, 32, 64, 128))
        >>> LGD(LGDParams(heads=4), info, None).taps().head_losses
        True
    """

    class Params(LGDParams):
        pass

    name = "lgd"
    title = "self-distillation: imitate maps that a branch makes of the labels and the student's own features"
    reference = "LGD: Label-guided Self-distillation for Object Detection, AAAI 2022, arXiv 2109.11496"
    needs_teacher = False
    weights = ("lambda_hint", "instructive_loss_weight")
    presets = {"lgd_large": {"stop_frac": 50 / 180}, "lgd_fcos_r50": {"context": False}}

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        self.num_classes = student.num_classes
        if not self.taps():
            return
        p: LGDParams = self.params
        channels = student.neck_channels[0]
        length = lgd_descriptors.length(student.num_classes, p.class_code == "one_hot", p.segmentation)
        self.branch = InstructiveBranch(p, length, channels)
        if p.lambda_hint:
            self.adapter = Adapter(channels, p.adapter_depth)

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse what the detector cannot have, and options that contradict each other; see `lgd.check`."""
        super().check(params, student, teacher)
        assert isinstance(params, LGDParams)
        if params.lambda_hint or params.instructive_loss_weight:
            check(params, student)

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """The official configurations' values. FCOS R50 alone differs from its family: preset lgd_fcos_r50."""
        two_stage = student.family == "two_stage"
        return {
            "context": not two_stage,
            "detach_appearance": two_stage,
            "segmentation": two_stage and student.masks,
        }

    def own_optimizers(self) -> tuple[OwnOptimizer, ...]:
        """The branch's. The adapter is trained with the student."""
        p: LGDParams = self.params
        if not self.taps():
            return ()
        how: dict[str, Any] = {"lr": p.branch_lr, "weight_decay": p.branch_weight_decay, "clip_value": p.clip_value}
        return (OwnOptimizer(modules=("branch",), kind=p.branch_optimizer, **how),)

    def gradient_rules(self, progress: Progress) -> GradientRules:
        if not self.taps():
            return GradientRules()
        frozen = progress.fraction < self.params.freeze_backbone_frac
        return GradientRules(freeze_backbone=frozen, clip_value=self.params.clip_value)

    def taps(self) -> Taps:
        on = bool(self.params.lambda_hint or self.params.instructive_loss_weight)
        return Taps(neck=on, head_losses=on, masks=on and self.params.segmentation)

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms: loss_hint (if its weight is not 0), and loss_instructive_<name> a loss of the detector."""
        if not self.taps():
            return {}
        p: LGDParams = self.params
        maps = self.instructive(student.neck, batch)
        assert batch.head_losses is not None
        # The head's own fp16 decorators decide on its precision; what has none runs in float32.
        with torch.autocast(maps[0].device.type, enabled=False):
            own = batch.head_losses(maps)
        terms = {f"loss_instructive_{name}": loss * p.instructive_loss_weight for name, loss in own.items()}
        if p.lambda_hint:
            terms["loss_hint"] = self.hint(student.neck, maps, progress) * p.lambda_hint
        return terms

    def instructive(self, levels: Sequence[Tensor], batch: Batch) -> list[Tensor]:
        """The branch's maps, shaped as the levels."""
        tokens = self.tokens(batch)
        seen = [level.detach() if self.params.detach_appearance else level for level in levels]
        maps: list[Tensor] = self.branch(seen, self.descriptors(tokens, batch), tokens)
        return maps

    def tokens(self, batch: Batch) -> Tokens:
        p: LGDParams = self.params
        if p.segmentation and batch.masks is None:
            raise InputError("method lgd: the data has no masks for segmentation: true; set segmentation: false")
        return tokens_of(batch, p.context, p.segmentation)

    def descriptors(self, tokens: Tokens, batch: Batch) -> Tensor:
        """(T, k), see `lgd.descriptors`."""
        one_hot = self.params.class_code == "one_hot"
        crops = self.crops(tokens, batch) if self.params.segmentation else None
        return lgd_descriptors.descriptors(tokens, batch.labels, self.num_classes, one_hot, crops)

    def crops(self, tokens: Tokens, batch: Batch) -> list[Tensor]:
        """Each object's mask inside its box, per image (G, 7, 7)."""
        assert batch.masks is not None
        pairs = zip(batch.masks, tokens.boxes, strict=True)
        return [lgd_descriptors.crops_of(masks, boxes[: len(masks)]) for masks, boxes in pairs]

    def hint(self, levels: Sequence[Tensor], maps: Sequence[Tensor], progress: Progress) -> Tensor:
        """The unweighted hint. The adapter learns in each step, the student only while the hint is on."""
        on = self.params.start_frac <= progress.fraction < 1 - self.params.stop_frac
        adapted = [self.adapter(level if on else level.detach()) for level in levels]
        return hint_loss(adapted, maps)
