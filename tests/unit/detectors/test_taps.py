"""Capturing what a method may see."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench.data import batches
from kdbench.detectors import configs, models, roi_logits, taps
from kdbench.errors import InputError
from kdbench.methods.base import Taps
from kdbench.testing import detectors
from kdbench.training.labels import labels_of


def opened(**kwargs: Any) -> dict[str, Any]:
    data: dict[str, Any] = batches.to_device(detectors.batch(**kwargs), torch.device("cpu"))
    return data


def hooks(model: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


@pytest.mark.parametrize("family", ["one_stage", "two_stage"])
def test_what_is_caught_is_what_the_losses_come_from(family: Any) -> None:
    student, info = detectors.detector(family)
    with taps.capture(student, Taps(neck=True, backbone=(1, 3))) as caught:
        losses = student(return_loss=True, **opened())
    assert tuple(level.shape[1] for level in caught.features.neck) == info.neck_channels
    sizes = [level.shape[3] for level in caught.features.neck]
    assert sizes == [-(-96 // stride) for stride in info.neck_strides]
    assert {stage: map_.shape[1] for stage, map_ in caught.features.backbone.items()} == {1: 32, 3: 128}
    loss = sum(v.sum() for k, vs in losses.items() if "loss" in k for v in (vs if isinstance(vs, list) else [vs]))
    assert all(grad is not None for grad in torch.autograd.grad(loss, caught.features.neck, allow_unused=True)[:4])


def test_no_trace_is_left_even_after_an_error() -> None:
    student, _ = detectors.detector("two_stage")
    before = hooks(student)
    with pytest.raises(KeyError), taps.capture(student, Taps(neck=True, roi_logits="student"), loss_pass=True):
        assert hooks(student) > before
        raise KeyError
    assert hooks(student) == before
    assert "sample" not in vars(student.roi_head.bbox_sampler)


def test_the_loss_pass_is_reused_row_by_row() -> None:
    student, _ = detectors.detector("two_stage")
    calls = []
    student.roi_head.bbox_head.register_forward_hook(lambda *_: calls.append(1))
    data = opened(boxes=(2, 0))
    seen: dict[str, Any] = {}
    loss = student.roi_head.bbox_head.loss

    def spy(cls_score: Any, bbox_pred: Any, rois: Any, labels: Any, *rest: Any, **kwargs: Any) -> Any:
        seen.update(logits=cls_score, rois=rois, labels=labels)
        return loss(cls_score, bbox_pred, rois, labels, *rest, **kwargs)

    student.roi_head.bbox_head.loss = spy
    with taps.capture(student, Taps(roi_logits="student"), loss_pass=True) as caught:
        student(return_loss=True, **data)
    assert len(calls) == 1
    assert caught.roi.logits is seen["logits"]
    rois, labels = roi_logits.rois_and_labels(caught.roi.samples, 3)
    assert torch.equal(rois, seen["rois"])
    assert torch.equal(labels, seen["labels"])
    again = roi_logits.head_logits(student, caught.features.neck, rois)
    torch.testing.assert_close(again, caught.roi.logits)


def test_a_sampler_that_runs_the_head_itself() -> None:
    cfg = detectors.model_config("two_stage")
    cfg.model.train_cfg.rcnn.sampler.type = "OHEMSampler"
    student = models.build(cfg.model, 0)
    with taps.capture(student, Taps(roi_logits="student"), loss_pass=True) as caught:
        student(return_loss=True, **opened())
    rois, _ = roi_logits.rois_and_labels(caught.roi.samples, 3)
    assert caught.roi.logits is not None
    assert len(rois) == len(caught.roi.logits)


@pytest.mark.parametrize("proposals", ["teacher", "student", "both"])
def test_both_networks_see_the_same_boxes(proposals: Any) -> None:
    student, _ = detectors.detector("two_stage")
    source = roi_logits.RoiSource(student, student, proposals)
    data = opened(boxes=(3, 0), ignored=1)
    with taps.capture(student, Taps(roi_logits=proposals), loss_pass=True) as caught:
        student(return_loss=True, **data)
    neck, batch = caught.features.neck, labels_of(data)
    found = source.logits(caught.roi, neck, neck, batch, data["img_metas"])
    assert len(found) == (2 if proposals == "both" else 1)
    for entry in found:
        torch.testing.assert_close(entry.student, entry.teacher)  # the student is its own teacher here
        assert entry.student.requires_grad
        assert not entry.teacher.requires_grad
        assert entry.student.shape == (len(entry.labels), 4)
        # The sampler appends the ground truth, so each object is found.
        assert set(data["gt_labels"][0].tolist()) <= set(entry.labels.tolist()) <= {0, 1, 2, 3}


def test_labels_belong_to_the_teachers_boxes() -> None:
    from torchvision.ops import box_iou

    student, _ = detectors.detector("two_stage")
    teacher, _ = detectors.detector("two_stage", width=24, channels=48, seed=1)
    source = roi_logits.RoiSource(student, teacher, "teacher")
    data = opened(boxes=(6, 4))
    with torch.no_grad():
        neck = teacher.extract_feat(data["img"])
        rois, labels = source._teacher_rois(neck, labels_of(data), data["img_metas"])
    assert (labels < 3).sum() >= 10
    for roi, label in zip(rois, labels.tolist(), strict=True):
        image = int(roi[0])
        overlap = box_iou(roi[None, 1:], data["gt_bboxes"][image])[0]
        assert (overlap.max() >= 0.5) == (label < 3)
        assert label == 3 or data["gt_labels"][image][overlap.argmax()] == label


def test_a_teacher_whose_config_is_for_testing_only_samples_as_the_student() -> None:
    student, _ = detectors.detector("two_stage")
    cfg = detectors.model_config("two_stage", width=24, channels=48)
    cfg.model.train_cfg = None
    teacher = models.build(cfg.model, 0).eval()
    source = roi_logits.RoiSource(student, teacher, "teacher")
    data = opened()
    with torch.no_grad():
        pairs = source.logits(
            taps.RoiPass(),
            student.extract_feat(data["img"]),
            teacher.extract_feat(data["img"]),
            labels_of(data),
            data["img_metas"],
        )
    assert len(pairs[0].labels) == 2 * 48


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cascade_rcnn/cascade_rcnn_r50_fpn_1x_coco", "cascade"),
        ("retinanet/retinanet_r50_fpn_1x_coco", "has no RoI head"),
        ("fast_rcnn/fast_rcnn_r50_fpn_1x_coco", "no plain RPN"),
        ("seesaw_loss/mask_rcnn_r50_fpn_random_seesaw_loss_mstrain_2x_lvis_v1", "SeesawLoss"),
        ("faster_rcnn/faster_rcnn_r50_caffe_c4_1x_coco", "has no neck"),
    ],
)
def test_refused_with_a_reason(name: str, message: str) -> None:
    cfg = configs.load_model_config(name, {})
    configs.drop_pretrained(cfg)
    with pytest.raises(InputError, match=message):
        taps.check(models.build(cfg.model, 0), Taps(roi_logits="teacher"), "teacher")
