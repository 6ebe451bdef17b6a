"""What a training would fail by is found by the plan: real steps on eight images that the test paints."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from kdbench.detectors import configs
from kdbench.errors import InputError
from kdbench.planning.study import Planned, Request, make_plan

TINY = {
    "model.backbone.depth": 18,
    "model.backbone.base_channels": 4,
    "model.backbone.stem_channels": 4,
    "model.neck.in_channels": [4, 8, 16, 32],
    "model.neck.out_channels": 8,
    "model.bbox_head.in_channels": 8,
    "model.bbox_head.feat_channels": 8,
    "model.bbox_head.stacked_convs": 1,
}
RETINANET = "retinanet/retinanet_r18_fpn_1x_coco"

NARROW = {"model.backbone.base_channels": 4, "model.backbone.stem_channels": 4}
LEVELS = {**NARROW, "model.neck.in_channels": [16, 32, 64, 128]}
FIRST_NECK = {**NARROW, "model.neck.0.in_channels": [16, 32, 64, 128]}
FEW_REGIONS = {
    "model.train_cfg.rcnn.sampler.num": 16,
    "model.train_cfg.rpn_proposal.max_per_img": 20,
    "model.test_cfg.rpn.max_per_img": 10,
}
ONE_LAYER = {f"model.bbox_head.transformer.{part}.num_layers": 1 for part in ("encoder", "decoder")}
CENTERNET = {
    "model.neck.in_channel": 32,
    "model.neck.num_deconv_filters": [16, 16, 16],
    "model.bbox_head.in_channel": 16,
    "model.bbox_head.feat_channel": 16,
}
MENDED: dict[str, tuple[str, dict[str, Any]]] = {
    "31-detr": ("detr/detr_r50_8x2_150e_coco", {**NARROW, **ONE_LAYER, "model.bbox_head.in_channels": 128}),
    "31-deformable-detr": (
        "deformable_detr/deformable_detr_r50_16x2_50e_coco",
        {**NARROW, **ONE_LAYER, "model.neck.in_channels": [32, 64, 128]},
    ),
    "32-centernet": ("centernet/centernet_resnet18_140e_coco", {**NARROW, **CENTERNET}),
    "36-solov2": ("solov2/solov2_light_r18_fpn_3x_coco", {**NARROW, "model.neck.in_channels": [4, 8, 16, 32]}),
    "37-mmsyncbn": (
        "strong_baselines/mask_rcnn_r50_caffe_fpn_syncbn-all_rpn-2conv_lsj_100e_coco",
        {**LEVELS, **FEW_REGIONS},
    ),
    "38-efficientnet": (
        "efficientnet/retinanet_effb3_fpn_crop896_8x4_1x_coco",
        {"model.backbone.arch": "b0", "model.neck.in_channels": [40, 112, 320]},
    ),
    "46-libra": ("libra_rcnn/libra_faster_rcnn_r50_fpn_1x_coco", FIRST_NECK),
    "46-nas-fcos": ("nas_fcos/nas_fcos_fcoshead_r50_caffe_fpn_gn-head_4x4_1x_coco", LEVELS),
    "46-dyhead": ("dyhead/atss_r50_fpn_dyhead_1x_coco", {**FIRST_NECK, "model.neck.1.num_blocks": 1}),
    "46-queryinst": (
        "queryinst/queryinst_r50_fpn_1x_coco",
        {**LEVELS, "model.rpn_head.num_proposals": 10, "model.test_cfg.rcnn.max_per_img": 10},
    ),
    "46-reppoints": ("reppoints/reppoints_moment_r50_fpn_1x_coco", LEVELS),
}
"""Families that a fault of mmdet's or ours kept out, narrow: by number of the fault's folder, config and changes."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight noisy images of 128x96 with two rectangles each, with masks."""
    folder = tmp_path_factory.mktemp("painted")
    (folder / "images").mkdir()
    stream, images, marks = np.random.default_rng(0), [], []
    for number in range(8):
        image = stream.integers(60, 120, (96, 128, 3), dtype=np.uint8)
        for x, y, w, h in ((10, 8, 40, 30), (60, 40, 50, 44)):
            image[y : y + h, x : x + w] = (250, 20, 20)
            outline = [x, y, x + w, y, x + w, y + h, x, y + h]
            mark = {"id": len(marks) + 1, "image_id": number + 1, "category_id": 1 + x % 2, "area": w * h}
            marks.append({**mark, "bbox": [x, y, w, h], "iscrowd": 0, "segmentation": [outline]})
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        images.append({"id": number + 1, "file_name": f"{number}.png", "width": 128, "height": 96})
    names = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    (folder / "train.json").write_text(json.dumps({"images": images, "annotations": marks, "categories": names}))
    return folder


def plan(
    root: Path, folder: Path, config: str, changes: dict[str, Any] | None = None, method: str = "none", **task: Any
) -> Planned:
    model = {"config": config, "set": changes or {}}
    content = {
        "name": "painted",
        "title": "painted",
        "dataset": {
            "kind": "coco",
            "name": "painted",
            "masks": True,
            "train": {"annotations": "train.json", "images": "images"},
            "search": {"cut": 2},
            "report": {"cut": 2},
        },
        "pipeline": {"image_scale": [128, 96]},
        "student": model,
        "teacher": model,
        "schedule": {"epochs": 1, "optimizer": "AdamW", "lr": 0.002, "samples_per_gpu": 2, "norm": "BN"},
        **task,
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(content))
    request = Request.parse({"methods": method, "task": str(folder / "mine.yaml"), "data_root": str(root)}, "search")
    return make_plan(request, folder / "home", None)


def test_train_cfg_beside_the_model_is_taken_over(root: Path, tmp_path: Path) -> None:
    """shared/failing/30: mmdet's configs before 2.8."""
    cfg = configs.load_model_config(RETINANET, TINY)
    outer = {key: cfg.model.pop(key).to_dict() for key in ("train_cfg", "test_cfg")}
    lines = [f"model = {cfg.model.to_dict()!r}", *(f"{key} = {value!r}" for key, value in outer.items())]
    (tmp_path / "old.py").write_text("\n".join(lines) + "\n")
    assert configs.load_model_config(str(tmp_path / "old.py"), {}).model.train_cfg.to_dict() == outer["train_cfg"]
    plan(root, tmp_path, str(tmp_path / "old.py"))
    (tmp_path / "both.py").write_text(f"model = {dict(cfg.model.to_dict(), train_cfg={})!r}\ntrain_cfg = {{'a': 1}}\n")
    with pytest.raises(InputError, match="`train_cfg` in `model` and beside it"):
        configs.load_model_config(str(tmp_path / "both.py"), {})


@pytest.mark.parametrize(
    "name",
    # QueryInst has six stages of large heads whatever its backbone.
    [pytest.param(name, marks=[pytest.mark.slow] if name == "46-queryinst" else []) for name in MENDED],
)
def test_families_that_were_kept_out_train_and_detect(root: Path, tmp_path: Path, name: str) -> None:
    """shared/failing/31, 32, 36, 37, 38 and 46: a step and the detections of an image, of each family."""
    config, changes = MENDED[name]
    planned = plan(root, tmp_path, config, changes, metric="segm_mAP" if name == "36-solov2" else "mAP")
    assert planned.plan.task.student.config == config


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("fast_rcnn/fast_rcnn_r50_fpn_1x_coco", "needs proposals.*take a detector with an RPN"),
        ("htc/htc_r50_fpn_1x_coco", r"needs semantic maps.*set student\.model\.roi_head\.semantic_head=null"),
        ("scnet/scnet_r50_fpn_1x_coco", "needs semantic maps.*HTC"),
        ("panoptic_fpn/panoptic_fpn_r50_fpn_1x_coco", "semantic maps.*Mask R-CNN"),
        ("maskformer/maskformer_r50_mstrain_16x1_75e_coco", "semantic maps.*Mask R-CNN"),
        ("rpn/rpn_r50_fpn_1x_coco", "boxes without classes.*Faster R-CNN"),
        ("ld/ld_r18_gflv1_r101_fpn_coco_1x", "a teacher of its own.*method of kdbench"),
        ("solov2/solov2_light_r18_fpn_3x_coco", "gives masks alone; set metric=segm_mAP"),
        ("convnext/mask_rcnn_convnext-t_p4_w7_fpn_fp16_ms-crop_3x_coco", "needs the module 'mmcls'"),
    ],
)
def test_what_no_task_can_train_is_refused_with_the_reason(root: Path, tmp_path: Path, config: str, words: str) -> None:
    """shared/failing/39, and of 36: the metric that SOLO's masks cannot have."""
    with pytest.raises(InputError, match=f"^task painted, student: .*{words}"):
        plan(root, tmp_path, config)


@pytest.mark.parametrize(
    "text", ["_base_ = 'mmdet::retinanet/x.py'\n", "model = dict(type='A', data_preprocessor={})\n"]
)
def test_configs_of_mmdet_3_are_refused(root: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "three.py").write_text(text)
    with pytest.raises(InputError, match="mmdet 3"):
        plan(root, tmp_path, str(tmp_path / "three.py"))


def test_a_number_that_no_network_has(root: Path, tmp_path: Path) -> None:
    """shared/failing/50: torch's own error was called a bug."""
    with pytest.raises(InputError, match=r"mmdet cannot build it \(.*; correct the config or override") as caught:
        plan(root, tmp_path, RETINANET, {**TINY, "model.neck.out_channels": -1})
    assert "\n" not in str(caught.value)


def test_what_fails_in_a_step_is_one_line_and_nothing_is_written(root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"student retinanet/.*fails where it takes a training step \(.*\); "
    ) as caught:
        plan(root, tmp_path, RETINANET, {**TINY, "model.train_cfg.assigner.pos_iou_thr": "much"})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "home" / "studies").exists()


def test_a_method_on_levels_and_a_student_without_a_neck(root: Path, tmp_path: Path) -> None:
    """shared/failing/35: teacher and baseline were trained before it was found."""
    c4 = "faster_rcnn/faster_rcnn_r50_caffe_c4_1x_coco"
    small = {"model.train_cfg.rpn_proposal.max_per_img": 20, "model.test_cfg.rpn.max_per_img": 10}
    with pytest.raises(InputError, match=rf"student {c4}.* has no neck \(FPN\) to distil; choose"):
        plan(root, tmp_path, c4, small, method="pkd")
    assert not (tmp_path / "home" / "studies").exists()


def test_random_streams_are_left_as_they_were(root: Path, tmp_path: Path) -> None:
    plan(root, tmp_path, RETINANET, TINY)  # whatever is imported for the first time
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)
    expected = (random.random(), np.random.rand(), torch.rand(1).item())
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)
    (tmp_path / "again").mkdir()
    plan(root, tmp_path / "again", RETINANET, TINY)
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


def test_what_of_a_config_is_not_read_is_said(root: Path, tmp_path: Path) -> None:
    """shared/failing/34: `load_from` and all but the model was dropped without a word."""
    own = configs.find(RETINANET)
    text = f"_base_ = {str(own)!r}\nload_from = 'gone.pth'\noptimizer = dict(type='None', lr=1)\n"
    (tmp_path / "mine.py").write_text(text)
    (note,) = plan(root, tmp_path, str(tmp_path / "mine.py"), TINY).notes
    assert "only `model` is taken; not read: load_from (use student.init), data (use dataset" in note
    assert plan(root, tmp_path, RETINANET, TINY).notes == ()


def test_crowds_that_a_head_takes_for_background_are_said(root: Path, tmp_path: Path) -> None:
    """Of a DETR's task alone; its plan would take the time of a whole transformer."""
    from kdbench.data import prepare
    from kdbench.planning.crowds import crowd_notes
    from kdbench.specs.task import TaskSpec

    content = json.loads((root / "train.json").read_text())
    for mark in content["annotations"][::4]:
        mark["iscrowd"] = 1
    crowded = tmp_path / "crowded"
    crowded.mkdir()
    (crowded / "train.json").write_text(json.dumps(content))
    (crowded / "images").symlink_to(root / "images")
    plan(crowded, tmp_path, RETINANET, TINY)
    task = TaskSpec.parse(yaml.safe_load((tmp_path / "mine.yaml").read_text()), "test")
    data = prepare(task.dataset, tmp_path / "home", crowded)
    assert crowd_notes([(task.student, data)]) == ()
    detr = task.student.model_copy(update={"config": "detr/detr_r50_8x2_150e_coco", "set": {}})
    (note,) = crowd_notes([(task.student, data), (detr, data), (detr, data)])
    assert "takes no regions to ignore, so the" in note


def test_a_suite_says_it_once_for_all_its_rows(root: Path, tmp_path: Path) -> None:
    from kdbench.planning.suite import SuiteRequest, plan_suite

    own = tmp_path / "mine.py"
    own.write_text(f"_base_ = {str(configs.find(RETINANET))!r}\nload_from = 'gone.pth'\n")
    plan(root, tmp_path, str(own), TINY)
    task = str(tmp_path / "mine.yaml")
    suite = {"name": "two", "title": "two rows", "task": task, "methods": ["none", "pkd"]}
    grade = {"title": "full", "seeds": 1}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump({**suite, "grades": {"full": grade}}))
    wishes = {"suite": str(tmp_path / "two.yaml"), "data_root": str(root)}
    (note,) = plan_suite(SuiteRequest.parse(wishes, "bench"), tmp_path / "home", None).notes
    assert note.startswith(f"{own}: only `model` is taken; not read: load_from (use student.init), data")
