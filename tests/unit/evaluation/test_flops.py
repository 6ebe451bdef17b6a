"""The student's operations: mmdet's own figures, and a training that does not notice."""

from __future__ import annotations

import copy
import logging
import random

import numpy as np
import pytest
import torch

from kdbench.detectors import configs, models
from kdbench.evaluation.flops import gflops, image_size
from kdbench.specs.training import PipelineSpec

CPU = torch.device("cpu")
SMALL = PipelineSpec(image_scale=(100, 60))
LOG = logging.getLogger("test")
THIN = {"model.backbone.init_cfg": None, "model.backbone.depth": 18, "model.neck.in_channels": [64, 128, 256, 512]}


def test_the_figure_of_mmdet_s_model_zoo() -> None:
    """mmdet's table gives 239.32 GFLOPs for RetinaNet with ResNet-50 on 1280x800."""
    cfg = configs.load_model_config("retinanet/retinanet_r50_fpn_1x_coco", {})
    found = gflops(cfg, PipelineSpec(image_scale=(1280, 800)), CPU, LOG)
    assert found == pytest.approx(239.32, abs=0.005)


@pytest.mark.parametrize("name", ["retinanet/retinanet_r50_fpn_1x_coco", "faster_rcnn/faster_rcnn_r50_fpn_1x_coco"])
def test_the_same_as_the_counter_run_by_hand(name: str) -> None:
    """A two-stage detector too, whose boxes need real numbers; the model that is given stays as it is."""
    from mmcv.cnn import get_model_complexity_info

    cfg = configs.load_model_config(name, THIN)
    plain = copy.deepcopy(cfg._cfg_dict.to_dict())
    model = models.build(cfg.model, seed=3)
    model.forward = model.forward_dummy
    with torch.no_grad():
        counted, _ = get_model_complexity_info(model, (3, 64, 128), print_per_layer_stat=False, as_strings=False)
    assert gflops(cfg, SMALL, CPU, LOG) == counted / 1e9
    assert cfg._cfg_dict.to_dict() == plain


def test_the_size_is_that_of_a_padded_test_image() -> None:
    assert image_size(SMALL) == (64, 128)
    assert image_size(PipelineSpec(image_scale=(1333, 800))) == (800, 1344)
    assert image_size(PipelineSpec(image_scale=(100, 60), pad_divisor=1)) == (60, 100)


def test_synchronised_norms_cost_the_same() -> None:
    plain = configs.load_model_config("retinanet/retinanet_r50_fpn_1x_coco", THIN)
    synchronised = copy.deepcopy(plain)
    configs.set_norm(synchronised, "SyncBN", False)
    assert gflops(synchronised, SMALL, CPU, LOG) == gflops(plain, SMALL, CPU, LOG)


def test_no_random_stream_moves() -> None:
    """The two-stage detector draws its boxes, and its building draws weights."""
    cfg = configs.load_model_config("faster_rcnn/faster_rcnn_r50_fpn_1x_coco", THIN)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    expected = random.random(), np.random.random(), torch.rand(3)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    assert gflops(cfg, SMALL, CPU, LOG) is not None
    found = random.random(), np.random.random(), torch.rand(3)
    assert found[:2] == expected[:2]
    assert torch.equal(found[2], expected[2])


def test_a_student_that_cannot_be_counted_has_no_figure_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    cfg = configs.load_model_config("solo/solo_r50_fpn_1x_coco", THIN)
    with caplog.at_level(logging.WARNING):
        assert gflops(cfg, SMALL, CPU, LOG) is None
    (record,) = caplog.records
    assert "cost/gflops is left out" in record.getMessage()
    assert "forward_dummy" in record.getMessage()
