"""RoI-head class logits of student and teacher on the same boxes, row by row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kdbench.detectors.taps import RoiPass
from kdbench.methods.base import Batch, Proposals, RoiLogits


class RoiSource:
    """Where RoI logits come from: the student's own sampling, the teacher's RPN and sampler, or both.

    The teacher's assigner and sampler are built from its training config, or from the student's if it has none.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module, proposals: Proposals) -> None:
        self.student: Any = student
        self.teacher: Any = teacher
        self.proposals = proposals
        if proposals != "student":
            self._prepare_teacher()

    def _prepare_teacher(self) -> None:
        from mmdet.core import build_assigner, build_sampler

        trained = self.teacher if self.teacher.roi_head.train_cfg is not None else self.student
        config = trained.roi_head.train_cfg
        whole = trained.train_cfg or {}
        self.proposal_cfg = whole.get("rpn_proposal") or self.teacher.test_cfg.rpn
        self.assigner = build_assigner(config.assigner)
        self.sampler = build_sampler(config.sampler, context=self.teacher.roi_head)

    def logits(
        self,
        loss_pass: RoiPass,
        student_neck: tuple[Tensor, ...],
        teacher_neck: tuple[Tensor, ...],
        batch: Batch,
        metas: list[dict[str, Any]],
    ) -> list[RoiLogits]:
        """One entry for each source of boxes. Labels are those of the sampling that gave the boxes."""
        found = []
        if self.proposals in ("teacher", "both"):
            with torch.no_grad():
                rois, labels = self._teacher_rois(teacher_neck, batch, metas)
                theirs = head_logits(self.teacher, teacher_neck, rois)
            found.append(RoiLogits(head_logits(self.student, student_neck, rois), theirs, labels))
        if self.proposals in ("student", "both"):
            assert loss_pass.logits is not None, "the student's loss pass was not captured"
            rois, labels = rois_and_labels(loss_pass.samples, self.student.roi_head.bbox_head.num_classes)
            with torch.no_grad():
                theirs = head_logits(self.teacher, teacher_neck, rois)
            found.append(RoiLogits(loss_pass.logits, theirs, labels))
        return found

    def _teacher_rois(
        self, neck: tuple[Tensor, ...], batch: Batch, metas: list[dict[str, Any]]
    ) -> tuple[Tensor, Tensor]:
        outputs = self.teacher.rpn_head(neck)
        # Boxes need all of float32: half precision cannot count to 1333 in steps of less than one pixel.
        with torch.autocast(neck[0].device.type, enabled=False):
            outputs = tuple([level.float() for level in maps] for maps in outputs)
            levels = [level.float() for level in neck]
            proposals = self.teacher.rpn_head.get_bboxes(*outputs, img_metas=metas, cfg=self.proposal_cfg)
            samples = []
            for i, (boxes, labels, ignored) in enumerate(zip(batch.boxes, batch.labels, batch.ignored, strict=True)):
                assigned = self.assigner.assign(proposals[i], boxes, ignored, labels)
                feats = [level[i][None] for level in levels]
                sample = self.sampler.sample(assigned, proposals[i], boxes, labels, feats=feats)
                samples.append(sample[0] if isinstance(sample, tuple) else sample)
        return rois_and_labels(samples, self.teacher.roi_head.bbox_head.num_classes)


def rois_and_labels(samples: list[Any], num_classes: int) -> tuple[Tensor, Tensor]:
    """Sampling results as the boxes that the RoI head sees, and their labels.

    Shapes: rois (R, 5) image index, x1, y1, x2, y2; labels (R,), background = `num_classes`.
    """
    from mmdet.core import bbox2roi

    rois = bbox2roi([sample.bboxes for sample in samples])
    labels = []
    for sample in samples:
        background = sample.pos_gt_labels.new_full((len(sample.neg_bboxes),), num_classes)
        labels += [sample.pos_gt_labels, background]
    return rois, torch.cat(labels).long()


def head_logits(detector: Any, neck: tuple[Tensor, ...], rois: Tensor) -> Tensor:
    """The class logits (R, K+1) of a detector's RoI head on given boxes."""
    logits: Tensor = detector.roi_head._bbox_forward(neck, rois)["cls_score"]
    return logits
