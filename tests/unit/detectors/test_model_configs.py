"""Finding and changing model configurations."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pytest

from kdbench.detectors import configs, models, needs
from kdbench.errors import InputError
from kdbench.specs import resources
from kdbench.specs.task import load_task
from kdbench.specs.training import ModelSpec, ScheduleSpec

RETINANET = "retinanet/retinanet_r50_fpn_1x_coco"


def test_mmdets_own_config_with_and_without_suffix() -> None:
    for name in (RETINANET, RETINANET + ".py"):
        assert configs.load_model_config(name, {}).model.type == "RetinaNet"


def test_a_users_file_relative_to_base(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("model = dict(type='RetinaNet', backbone=dict(type='ResNet', depth=18))\n")
    assert configs.load_model_config("mine.py", {}, tmp_path).model.backbone.depth == 18
    assert configs.load_model_config(str(tmp_path / "mine"), {}).model.backbone.depth == 18


def test_a_name_with_dots_needs_no_suffix() -> None:
    assert configs.find("legacy_1.x/retinanet_r50_fpn_1x_coco_v1").suffix == ".py"


@pytest.mark.parametrize("wrong", ["retinanet/retinanet_r50_fpn_1x_cocoo", "retinanet_r50_fpn_1x_coco"])
def test_unknown_config_names_the_nearest(wrong: str) -> None:
    with pytest.raises(InputError, match=RETINANET):
        configs.load_model_config(wrong, {})


@pytest.mark.parametrize(
    ("text", "message"), [("model = dict(", "not an mmdet config"), ("x = 1\n", "has no `model`"), ("1/0\n", "not an")]
)
def test_broken_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        configs.load_model_config(str(tmp_path / "broken.py"), {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("last", ["import sys\nsys.exit(0)", "raise SystemExit(3)", "exit()"])
def test_a_config_that_ends_python_is_refused(tmp_path: Path, last: str) -> None:
    (tmp_path / "ends.py").write_text(f"model = dict(type='RetinaNet')\n{last}\n")
    with pytest.raises(InputError, match=r"ends\.py: ends Python when it is read"):
        configs.load_model_config(str(tmp_path / "ends.py"), {})


def test_what_a_config_prints_is_no_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "talks.py").write_text("model = dict(type='RetinaNet')\nprint('hello')\n")
    configs.load_model_config(str(tmp_path / "talks.py"), {})
    told = capsys.readouterr()
    assert (told.out, "hello" in told.err) == ("", True)


def test_nothing_of_mmcv_is_left_behind_to_complain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    (tmp_path / "broken.py").write_text("x = foo\n")
    with pytest.raises(InputError, match="name 'foo' is not defined"):
        configs.load_model_config(str(tmp_path / "broken.py"), {})
    gc.collect()
    assert complaints == []


def test_weights_are_no_config(tmp_path: Path) -> None:
    (tmp_path / "best.pth").write_bytes(b"1")
    with pytest.raises(InputError, match=r"best\.pth: is a file of weights and no config"):
        configs.load_model_config(str(tmp_path / "best.pth"), {})


def test_a_suppression_that_mmcv_lacks_is_no_late_surprise() -> None:
    name = "faster_rcnn/faster_rcnn_r50_fpn_1x_coco"
    assert needs.refusal(configs.load_model_config(name, {})) is None
    changed = configs.load_model_config(name, {"model.test_cfg.rcnn.nms.type": "diou_nms"})
    assert "nms of type 'diou_nms', which mmcv does not have" in str(needs.refusal(changed))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.backbone": {"type": "mmcls.TIMMBackbone"}}, "mmcls.TIMMBackbone is of another package"),
        ({"model.backbone.init_cfg": {"type": "Pretrained"}}, "an init_cfg is not as mmcv wants it"),
    ],
)
def test_parts_that_cannot_be_built_are_one_line(changes: dict[str, Any], words: str) -> None:
    cfg = configs.load_model_config(RETINANET, changes)
    configs.set_norm(cfg, "BN", frozen=False)
    with pytest.raises(InputError, match=words):
        models.build(cfg.model, seed=0)


def test_overrides() -> None:
    value = {"type": "BN", "requires_grad": False}
    cfg = configs.load_model_config(
        "cascade_rcnn/cascade_rcnn_r50_fpn_1x_coco",
        {
            "model.backbone.depth": 18,
            "model.backbone.base_channels": 16,
            "model.backbone.norm_cfg": value,
            "model.roi_head.bbox_head.1.num_classes": 7,
            "model.neck.in_channels": [16, 32, 64, 128],
        },
    )
    assert (cfg.model.backbone.depth, cfg.model.backbone.base_channels) == (18, 16)
    assert cfg.model.backbone.norm_cfg.requires_grad is False
    cfg.model.backbone.norm_cfg.requires_grad = True
    assert value["requires_grad"] is False, "the caller's values must not be shared"
    assert [head.num_classes for head in cfg.model.roi_head.bbox_head] == [80, 7, 80]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model.bakcbone.depth", "has no 'bakcbone'; did you mean 'backbone'"),
        ("model.roi_head.bbox_head.3.num_classes", "list of 3; give an index from 0 to 2"),
        ("model.roi_head.bbox_head.num_classes", "is a list of 3"),
        ("model.backbone.depth.deep", "model.backbone.depth is 50"),
    ],
)
def test_an_override_that_leads_nowhere(key: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        configs.load_model_config("cascade_rcnn/cascade_rcnn_r50_fpn_1x_coco", {key: 1})


@pytest.mark.parametrize(
    ("name", "heads"),
    [(RETINANET, 1), ("cascade_rcnn/cascade_mask_rcnn_r50_fpn_1x_coco", 4), ("mask_rcnn/mask_rcnn_r50_fpn_1x_coco", 2)],
)
def test_num_classes_of_every_head(name: str, heads: int) -> None:
    cfg = configs.load_model_config(name, {})
    configs.set_num_classes(cfg, 3)
    assert cfg.pretty_text.count("num_classes=3") == heads
    assert "num_classes=80" not in cfg.pretty_text


def test_num_classes_needs_a_head_and_leaves_stuff_segmentation_alone() -> None:
    with pytest.raises(InputError, match="no head with classes"):
        configs.set_num_classes(configs.load_model_config("rpn/rpn_r50_fpn_1x_coco", {}), 3)
    cfg = configs.load_model_config("htc/htc_r50_fpn_1x_coco", {})
    configs.set_num_classes(cfg, 3)
    assert cfg.model.roi_head.semantic_head.num_classes == 183


def test_norm_of_backbone_neck_and_heads() -> None:
    cfg = configs.load_model_config("resnest/faster_rcnn_s50_fpn_syncbn-backbone+head_mstrain-range_1x_coco", {})
    configs.set_norm(cfg, "BN", frozen=True)
    assert cfg.model.backbone.norm_cfg.type == cfg.model.roi_head.bbox_head.norm_cfg.type == "BN"
    assert cfg.model.backbone.norm_eval is True
    configs.set_norm(cfg, "SyncBN", frozen=False)
    assert cfg.model.backbone.norm_cfg.type == "SyncBN"
    assert cfg.model.backbone.norm_eval is False


def test_norm_where_the_config_leaves_it_out_or_has_another() -> None:
    cfg = configs.load_model_config(RETINANET, {})
    del cfg.model.backbone["norm_cfg"], cfg.model.backbone["norm_eval"]
    configs.set_norm(cfg, "SyncBN", frozen=False)
    assert cfg.model.backbone.norm_cfg.type == "SyncBN"
    assert cfg.model.backbone.norm_eval is False
    caffe = configs.load_model_config("fcos/fcos_r50_caffe_fpn_gn-head_1x_coco", {})
    configs.set_norm(caffe, "BN", frozen=False)
    assert caffe.model.backbone.norm_cfg.requires_grad is True
    swin = configs.load_model_config("swin/mask_rcnn_swin-t-p4-w7_fpn_1x_coco", {})
    configs.set_norm(swin, "SyncBN", frozen=True)
    assert "norm_eval" not in swin.model.backbone


def test_drop_pretrained() -> None:
    cfg = configs.load_model_config(RETINANET, {})
    configs.drop_pretrained(cfg)
    assert "torchvision://" not in cfg.pretty_text


def test_names_and_families() -> None:
    assert RETINANET in configs.families()["retinanet"]
    assert len(configs.detector_names()) > 500
    assert not any(name.startswith("_base_") for name in configs.detector_names())


@pytest.mark.parametrize("name", resources.names("benchmarks/tasks"))
@pytest.mark.parametrize("role", ["student", "teacher"])
def test_the_configs_of_shipped_tasks_take_their_overrides(name: str, role: str) -> None:
    spec = getattr(load_task(name), role)
    cfg = configs.load_model_config(spec.config, dict(spec.set))
    for key, value in spec.set.items():
        node: Any = cfg
        for part in key.split("."):
            node = node[int(part)] if isinstance(node, list) else node[part]
        assert node == value


@pytest.mark.slow
@pytest.mark.parametrize("name", resources.names("benchmarks/tasks"))
@pytest.mark.parametrize("role", ["student", "teacher"])
def test_the_networks_of_shipped_tasks_build(name: str, role: str) -> None:
    spec = getattr(load_task(name), role)
    cfg = configs.load_model_config(spec.config, dict(spec.set))
    configs.drop_pretrained(cfg)
    info = models.info(models.build(cfg.model, seed=0), cfg.model)
    assert len(info.neck_strides) == len(info.neck_channels) == 5


@pytest.mark.parametrize(
    ("start", "given", "frozen"),
    [
        ({}, {}, False),
        ({"pretrained": True}, {}, True),
        ({"init": "whole.pth"}, {}, True),
        ({}, {"norm_frozen": True}, True),
        ({"pretrained": True}, {"norm_frozen": False}, False),
    ],
)
def test_norm_is_frozen_by_what_a_training_starts_from(
    start: dict[str, Any], given: dict[str, Any], frozen: bool
) -> None:
    spec = ModelSpec(config=RETINANET, **start)
    cfg = configs.trained_model(spec, 3, ScheduleSpec(epochs=1, lr=0.1, **given))
    assert cfg.model.backbone.norm_eval is frozen
