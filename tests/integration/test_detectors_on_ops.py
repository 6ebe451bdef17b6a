"""mmdet's own detectors train and predict on the operators that kdbench provides: narrow copies of its configs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdbench import ops

ops.install()

import mmdet  # noqa: E402
from mmcv import Config  # noqa: E402
from mmdet.core import BitmapMasks  # noqa: E402
from mmdet.models import build_detector  # noqa: E402

CONFIGS = Path(mmdet.__file__).parent / ".mim" / "configs"
CLASSES, CHANNELS, SIDE = 3, 16, 96
DCN = {"type": "DCN", "deform_groups": 1, "fallback_on_stride": False}
DCNV2 = DCN | {"type": "DCNv2"}
ON_LAST_STAGES = (False, False, True, True)
SOFT_NMS = {"type": "soft_nms", "iou_threshold": 0.5, "min_score": 1e-4}

DETECTORS: dict[str, tuple[str, dict[str, Any]]] = {
    "faster_rcnn": ("faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py", {}),
    "retinanet": ("retinanet/retinanet_r50_fpn_1x_coco.py", {}),
    "fcos": ("fcos/fcos_r50_caffe_fpn_gn-head_1x_coco.py", {}),
    "mask_rcnn": ("mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py", {}),
    "atss": ("atss/atss_r50_fpn_1x_coco.py", {}),
    "gfl": ("gfl/gfl_r50_fpn_1x_coco.py", {}),
    "cascade_rcnn": ("cascade_rcnn/cascade_rcnn_r50_fpn_1x_coco.py", {}),
    "cascade_mask_rcnn": ("cascade_rcnn/cascade_mask_rcnn_r50_fpn_1x_coco.py", {}),
    "faster_rcnn soft nms": ("faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py", {"test_cfg.rcnn.nms": SOFT_NMS}),
    "faster_rcnn roi pool": (
        "faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py",
        {"roi_head.bbox_roi_extractor.roi_layer": {"type": "RoIPool", "output_size": 7, "_delete_": True}},
    ),
    "fcos dcnv2, in the head too": (
        "fcos/fcos_center-normbbox-centeronreg-giou_r50_caffe_fpn_gn-head_dcn_1x_coco.py",
        {},
    ),
    "retinanet dcnv2": ("retinanet/retinanet_r50_fpn_1x_coco.py", {"backbone.dcn": DCNV2}),
    "cascade_rcnn dcn": ("cascade_rcnn/cascade_rcnn_r50_fpn_1x_coco.py", {"backbone.dcn": DCN}),
    "cascade_rcnn dcnv2": ("cascade_rcnn/cascade_rcnn_r50_fpn_1x_coco.py", {"backbone.dcn": DCNV2}),
}


def narrow(config: Any) -> None:
    """Few classes, 16 channels in neck and heads, 32 fully connected, one convolution deep; in place."""
    widths = {"num_classes": CLASSES, "fc_out_channels": 32, "stacked_convs": 1, "num_convs": 1}
    if isinstance(config, dict):
        for key, value in config.items():
            if value == 256 and key.endswith("channels"):
                config[key] = CHANNELS
            elif key in widths:
                config[key] = widths[key]
            narrow(value)
    elif isinstance(config, list):
        for value in config:
            narrow(value)


def detector(name: str) -> torch.nn.Module:
    path, changes = DETECTORS[name]
    config = Config.fromfile(str(CONFIGS / path)).model
    narrow(config)
    config.backbone.update(depth=18, base_channels=16, init_cfg=None, frozen_stages=-1, norm_eval=False)
    config.neck.in_channels = [16, 32, 64, 128]
    if config.type in ("FCOS", "ATSS", "GFL"):  # their heads' own group norm wants a multiple of 32 channels
        config.bbox_head.norm_cfg = {"type": "GN", "num_groups": 4, "requires_grad": True}
    if "backbone.dcn" in changes or "dcn" in config.backbone:
        # ResNet-18's blocks take no deformable convolution; a residual branch that starts as zero gives it no gradient.
        config.backbone.update(depth=50, base_channels=4, stage_with_dcn=ON_LAST_STAGES, zero_init_residual=False)
    wrapped = Config({"model": config})
    wrapped.merge_from_dict({f"model.{key}": value for key, value in changes.items()})
    # Random weights score low: a box that survives the threshold is what exercises non-maximum suppression.
    for stage in (wrapped.model.test_cfg, wrapped.model.test_cfg.get("rcnn")):
        if stage and "score_thr" in stage:
            stage.score_thr = 1e-4
    torch.manual_seed(0)
    logging.getLogger("mmcv").setLevel("WARNING")  # a line for each parameter otherwise
    model = build_detector(wrapped.model)
    model.init_weights()
    for module in model.modules():  # zero offsets would sample on the grid only
        if hasattr(module, "conv_offset"):
            torch.nn.init.normal_(module.conv_offset.weight, std=0.1)
    return model


def batch(device: torch.device) -> dict[str, Any]:
    """Two images of noise, two objects each."""
    boxes = torch.tensor([[8.0, 10, 60, 70], [30, 40, 90, 92]])
    masks = np.zeros((2, SIDE, SIDE), dtype=np.uint8)
    masks[0, 10:70, 8:60] = masks[1, 40:92, 30:90] = 1
    meta = {
        "img_shape": (SIDE, SIDE, 3),
        "ori_shape": (SIDE, SIDE, 3),
        "pad_shape": (SIDE, SIDE, 3),
        "scale_factor": np.ones(4, dtype=np.float32),
        "flip": False,
        "filename": "noise",
    }
    return {
        "img": torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(device),
        "img_metas": [dict(meta), dict(meta)],
        "gt_bboxes": [boxes.to(device), boxes.flip(0).to(device)],
        "gt_labels": [torch.tensor([0, 2], device=device), torch.tensor([1, 0], device=device)],
        "gt_masks": [BitmapMasks(masks, SIDE, SIDE), BitmapMasks(masks[::-1].copy(), SIDE, SIDE)],
    }


def loss_of(model: torch.nn.Module, data: dict[str, Any]) -> torch.Tensor:
    inputs = data if getattr(model, "with_mask", False) else {k: v for k, v in data.items() if k != "gt_masks"}
    loss, _ = model._parse_losses(model.forward_train(**inputs))
    return loss


def has_gradient(module: torch.nn.Module) -> bool:
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    return all(torch.isfinite(g).all() for g in grads) and any(g.abs().sum() > 0 for g in grads)


@pytest.fixture(
    params=["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where the detector runs."""
    return torch.device(request.param)


@pytest.mark.parametrize("name", DETECTORS)
def test_trains_and_predicts(name: str, device: torch.device) -> None:
    model, data = detector(name).to(device).train(), batch(device)
    loss = loss_of(model, data)
    loss.backward()
    assert torch.isfinite(loss)
    assert has_gradient(model.backbone.conv1)
    offsets = [module for module in model.modules() if hasattr(module, "conv_offset")]
    assert all(has_gradient(module.conv_offset) and module.weight.grad.abs().sum() > 0 for module in offsets)
    assert bool(offsets) == ("dcn" in name)

    model.eval()
    with torch.no_grad():
        results = model.simple_test(data["img"], data["img_metas"], rescale=True)
    assert len(results) == 2
    for result in results:
        boxes, masks = result if model.with_mask else (result, None)
        assert [b.shape[1] for b in boxes] == [5] * CLASSES
        assert sum(map(len, boxes)) > 0
        assert all(np.isfinite(b).all() for b in boxes)
        if masks is not None:
            assert [len(m) for m in masks] == [len(b) for b in boxes]
            assert all(m.shape == (SIDE, SIDE) for of_class in masks for m in of_class)


@pytest.mark.parametrize("name", ["faster_rcnn", "fcos", "retinanet dcnv2"])
def test_autocast(name: str, device: torch.device) -> None:
    model, data = detector(name).to(device).train(), batch(device)
    with torch.autocast(device.type, torch.float16 if device.type == "cuda" else torch.bfloat16):
        loss = loss_of(model, data)
    loss.backward()
    assert torch.isfinite(loss)
    assert has_gradient(model.backbone.conv1)
