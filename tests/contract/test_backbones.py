"""A distillation step on students of the backbones that users bring, with a plain ResNet-18 as teacher."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench.detectors import configs, models
from kdbench.methods import registry
from kdbench.testing import detectors, training
from kdbench.training.distiller import Distiller

RETINANET = "retinanet/retinanet_r50_fpn_1x_coco"
MOBILE = {"type": "MobileNetV2", "out_indices": [1, 2, 4, 6]}
DCN = {"type": "DCNv2", "deform_groups": 1, "fallback_on_stride": False}
X_DCN = {
    "model.backbone.groups": 32,
    "model.backbone.base_width": 8,
    "model.backbone.dcn": DCN,
    "model.backbone.stage_with_dcn": [False, True, True, True],
}
SHALLOW = {"model.backbone.depth": 18, "model.neck.in_channels": [64, 128, 256, 512]}
BACKBONES: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": (RETINANET, SHALLOW),
    "resnet34": (RETINANET, {**SHALLOW, "model.backbone.depth": 34}),
    "resnet50": (RETINANET, {}),
    "resnet101": ("retinanet/retinanet_r101_fpn_1x_coco", {}),
    "resnet152": (RETINANET, {"model.backbone.depth": 152}),
    "resnext50": ("retinanet/retinanet_x101_32x4d_fpn_1x_coco", {"model.backbone.depth": 50}),
    "mobilenet_v2": (RETINANET, {"model.backbone": MOBILE, "model.neck.in_channels": [24, 32, 96, 320]}),
    "swin_t": ("swin/retinanet_swin-t-p4-w7_fpn_1x_coco", {}),
    "fcos_resnext101_dcn": ("fcos/fcos_x101_64x4d_fpn_gn-head_mstrain_640-800_2x_coco", X_DCN),
}
CHANNELS = {"mobilenet_v2": (24, 32, 96, 320), "swin_t": (192, 384, 768), "resnet34": (64, 128, 256, 512)}


@pytest.mark.parametrize("name", BACKBONES)
def test_a_step(name: str) -> None:
    torch.set_num_threads(1)
    config, overrides = BACKBONES[name]
    cfg = configs.load_model_config(config, overrides)
    configs.set_num_classes(cfg, len(detectors.CLASSES))
    configs.drop_pretrained(cfg)
    student = models.build(cfg.model, seed=0)
    info = models.info(student, cfg.model)
    assert info.backbone_channels == CHANNELS.get(name, info.backbone_channels)
    teacher, teacher_info = detectors.detector("one_stage")
    method = registry.build("defeat", {"neck_fg_weight": 4.0, "neck_bg_weight": 16.0}, info, teacher_info)
    distiller = Distiller(student, method, teacher)
    distiller.train()
    (log,) = training.train(distiller, [detectors.batch((2,), size=(64, 64))], "SGD")
    assert all(value == value and abs(value) != float("inf") for value in log.values()), log
    reached = [n for n, p in student.backbone.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert reached
