"""What a student takes over from its teacher before the training."""

from __future__ import annotations

import torch

from kdbench.detectors import models
from kdbench.detectors.inherit import PARTS, inherit
from kdbench.testing import detectors


def test_neck_and_heads_are_copied_and_the_backbone_stays() -> None:
    cfg = detectors.model_config("two_stage").model
    student, teacher = models.build(cfg, seed=0), models.build(cfg, seed=1)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    copied, skipped = inherit(student, teacher)
    theirs = teacher.state_dict()
    parts = [name for name in before if name.startswith(PARTS)]
    assert (copied, skipped) == (len(parts), 0)
    for name, value in student.state_dict().items():
        assert torch.equal(value, theirs[name] if name in parts else before[name]), name
    assert not torch.equal(before["backbone.conv1.weight"], theirs["backbone.conv1.weight"])


def test_what_has_no_equal_is_left_and_counted() -> None:
    cfg, other = detectors.model_config("one_stage").model, detectors.model_config("one_stage").model
    other.bbox_head.num_classes = cfg.bbox_head.num_classes + 1
    student, teacher = models.build(cfg, seed=0), models.build(other, seed=1)
    own = student.bbox_head.retina_cls.weight.clone()
    copied, skipped = inherit(student, teacher)
    assert skipped == 2, "the weight and the bias of the class map"
    assert copied > 0
    assert torch.equal(student.bbox_head.retina_cls.weight, own)
    assert torch.equal(student.bbox_head.retina_reg.weight, teacher.bbox_head.retina_reg.weight)
