"""`kdbench task CONFIG.py`: what a config says comes into the task, and each thing that does not is listed with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.planning.drafting.config import draft_config
from kdbench.planning.drafting.config_pipeline import pipeline_of
from kdbench.planning.drafting.draft import Draft
from kdbench.specs.task import TaskSpec, data_folder, load_task
from tests import exports

CONFIG = """
import os.path
import mmdet
_base_ = os.path.join(os.path.dirname(mmdet.__file__), '.mim/configs/retinanet/retinanet_r18_fpn_1x_coco.py')
load_from = 'does_not_exist.pth'
model = dict(backbone=dict(init_cfg=None), bbox_head=dict(num_classes=2))
classes = ('ball', 'box')
norm = dict(mean=[100.0, 110.0, 120.0], std=[50.0, 51.0, 52.0], to_rgb=True)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='Resize', img_scale=[(96, 48), (96, 64)], multiscale_mode='value', keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.25),
    dict(type='Normalize', **norm),
    dict(type='Pad', size_divisor=32),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels'])]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiScaleFlipAug', img_scale=(96, 64), flip=True, transforms=[
        dict(type='Resize', keep_ratio=True), dict(type='RandomFlip'), dict(type='Normalize', **norm),
        dict(type='Pad', size_divisor=32), dict(type='ImageToTensor', keys=['img']), dict(type='Collect', keys=['img'])])]
data = dict(
    _delete_=True, samples_per_gpu=4, workers_per_gpu=0, persistent_workers=True,
    train=dict(type='RepeatDataset', times=2, dataset=dict(type='CocoDataset', classes=classes, pipeline=train_pipeline,
        ann_file='toys/train/_annotations.coco.json', img_prefix='toys/train/')),
    val=dict(type='CocoDataset', classes=classes, pipeline=test_pipeline,
        ann_file='toys/valid/_annotations.coco.json', img_prefix='toys/valid/'),
    test=dict(type='CocoDataset', classes=classes, pipeline=test_pipeline,
        ann_file='toys/valid/_annotations.coco.json', img_prefix='toys/valid/'))
optimizer = dict(_delete_=True, type='AdamW', lr=0.001, betas=(0.9, 0.99), weight_decay=0.05, amsgrad=True,
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'backbone': dict(lr_mult=0.1)}))
optimizer_config = dict(_delete_=True, grad_clip=dict(max_norm=1, norm_type=2))
lr_config = dict(warmup='linear', warmup_iters=3, warmup_ratio=0.1, step=[1])
runner = dict(type='EpochBasedRunner', max_epochs=2)
custom_hooks = [dict(type='NumClassCheckHook'), dict(type='ExpMomentumEMAHook', momentum=0.0001)]
"""


def written(folder: Path, text: str = CONFIG) -> Path:
    exports.roboflow(folder / "toys")
    file = folder / "mine.py"
    file.write_text(text)
    return file


def drafted(config: str | Path, tmp_path: Path, **more: Any) -> tuple[Draft, TaskSpec]:
    wishes: dict[str, Any] = {"teacher": None, "data_root": None, "max_bad": 0.01, "say": lambda line: None, **more}
    made = draft_config(str(config), tmp_path / "home", output=tmp_path / "mine.yaml", **wishes)
    (tmp_path / "mine.yaml").write_text(made.text())
    return made, load_task(str(tmp_path / "mine.yaml"))


def test_everything_of_a_config_is_taken_or_named(tmp_path: Path) -> None:
    made, task = drafted(written(tmp_path), tmp_path)
    assert data_folder(None, task) == tmp_path / "toys"
    assert task.dataset.kind == "coco"
    assert task.dataset.repeat == 2
    assert task.dataset.classes == ("ball", "box")
    assert task.dataset.train.annotations == "train/_annotations.coco.json"
    assert task.dataset.report.images == "valid"
    assert task.dataset.search.cut == 0.15
    pipeline = task.pipeline
    assert (pipeline.image_scale, pipeline.mean, pipeline.std) == ((96, 64), (100, 110, 120), (50, 51, 52))
    assert [step["type"] for step in pipeline.train] == ["PhotoMetricDistortion", "Resize", "RandomFlip"]
    schedule = task.schedule
    assert (schedule.optimizer, schedule.lr, schedule.betas, schedule.weight_decay) == (
        "AdamW",
        0.001,
        (0.9, 0.99),
        0.05,
    )
    assert schedule.paramwise == {"norm_decay_mult": 0.0, "custom_keys": {"backbone": {"lr_mult": 0.1}}}
    assert (schedule.epochs, schedule.steps, schedule.warmup_iters, schedule.grad_clip) == (2, (1,), 3, 1.0)
    assert task.student.config == str(tmp_path / "mine.py")
    assert not task.student.pretrained
    assert task.teacher.set == {"model.backbone.depth": 34}
    named = "\n".join(made.notes)
    for words in (
        *(
            "load_from does_not_exist.pth",
            "student.init",
            "ExpMomentumEMAHook",
            "amsgrad",
            "to_float32",
            "persistent_workers",
        ),
        *("test pipeline flips", "filter_empty_gt", "frozen_stages"),
    ):
        assert words in named, words
    assert "NumClassCheckHook" not in named
    for note in made.notes:
        assert note.split(":")[0] in made.text().replace("\n#   ", " ")


def test_a_teachers_config_brings_its_own_schedule(tmp_path: Path) -> None:
    config = written(tmp_path)
    teacher = tmp_path / "teacher.py"
    teacher.write_text(CONFIG.replace("max_epochs=2", "max_epochs=5").replace("step=[1]", "step=[4]"))
    _, task = drafted(config, tmp_path, teacher=str(teacher))
    assert task.teacher.config == str(teacher)
    assert task.teacher_schedule == {"epochs": 5, "steps": [4]}
    assert task.full_teacher_schedule().steps == (4,)


def test_resize_and_flip_alone_are_the_tasks_own_keys(tmp_path: Path) -> None:
    made, task = drafted("retinanet/retinanet_r50_fpn_mstrain_640-800_3x_coco", tmp_path)
    assert task.pipeline.train
    made, task = drafted("retinanet/retinanet_r50_fpn_1x_coco", tmp_path)
    assert not task.pipeline.train
    assert task.pipeline.image_scale == (1333, 800)
    assert task.student.config == "retinanet/retinanet_r50_fpn_1x_coco"
    assert task.teacher.set["model.backbone.depth"] == 101
    assert task.data_root is None
    assert any("data is not here" in note for note in made.notes)
    assert any("batch of 16" in note for note in made.notes)


def test_short_sides_of_a_value_mode() -> None:
    notes: list[str] = []
    scales = [(1333, 640), (1333, 800)]
    normalize = {"type": "Normalize", "mean": [1, 2, 3], "std": [1, 1, 1], "to_rgb": False}
    train = [
        {"type": "Resize", "img_scale": scales, "multiscale_mode": "value", "keep_ratio": True},
        {"type": "RandomFlip", "flip_ratio": 0.5},
        normalize,
        {"type": "Pad", "size_divisor": 32},
    ]
    test = [{"type": "MultiScaleFlipAug", "img_scale": (1333, 800), "flip": False, "transforms": [normalize]}]
    found = pipeline_of(train, test, 0, notes)
    assert found["short_sides"] == [640, 800]
    assert (found["image_scale"], found["to_rgb"]) == ([1333, 800], False)
    assert not notes
    train[0]["multiscale_mode"] = "range"
    assert pipeline_of(train, test, 0, notes)["train"][0]["multiscale_mode"] == "range"


def test_transforms_that_mix_images_are_left_out_with_the_reason(tmp_path: Path) -> None:
    made, task = drafted("yolox/yolox_s_8x8_300e_coco", tmp_path)
    kinds = [step["type"] for step in task.pipeline.train]
    assert kinds == ["YOLOXHSVRandomAug", "RandomFlip", "Resize", "Pad", "FilterAnnotations"]
    named = "\n".join(made.notes)
    for words in ("Mosaic: not taken", "MixUp: not taken", "negative border", "policy YOLOX", "resizes batches"):
        assert words in named, words
    assert task.schedule.nesterov
    assert task.schedule.paramwise == {"norm_decay_mult": 0.0, "bias_decay_mult": 0.0}


def test_vocs_data_and_metric(tmp_path: Path) -> None:
    _, task = drafted("pascal_voc/faster_rcnn_r50_fpn_1x_voc0712", tmp_path)
    assert task.dataset.train.image_sets == ("VOC2007/trainval", "VOC2012/trainval")
    assert task.dataset.report.image_sets == ("VOC2007/test",)
    assert (task.dataset.repeat, task.metric) == (3, "AP50_11")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'\n", "mmdet 3"),
        ("model = dict(type='RetinaNet', data_preprocessor=dict())\n", "mmdet 3"),
        ("train_dataloader = dict()\nmodel = dict(type='RetinaNet')\n", "mmdet 3"),
        ("model = dict(type='RetinaNet')\n", "no data.train"),
        (
            CONFIG.replace("'CocoDataset'", "'OpenImagesDataset'").replace(".coco.json", ".csv"),
            "OpenImagesDataset are not read",
        ),
        (CONFIG.replace("ann_file='toys/train/_annotations.coco.json'", "ann_file=['a.json', 'b.json']"), "merge them"),
        (CONFIG.replace("PhotoMetricDistortion", "NoSuchStep"), "NoSuchStep"),
        (CONFIG.replace("type='PhotoMetricDistortion'", "p=0.5"), "a step without a type"),
        ("x = (\n", "correct the file"),
    ],
)
def test_what_cannot_be_a_task_is_refused_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        drafted(written(tmp_path, text), tmp_path)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_test_file_that_is_not_here_is_left_aside(tmp_path: Path) -> None:
    text = CONFIG.replace(
        "ann_file='toys/valid/_annotations.coco.json', img_prefix='toys/valid/'))",
        "ann_file='kept_back.json', img_prefix='x'))",
    )
    made, task = drafted(written(tmp_path, text), tmp_path)
    assert any("kept_back.json is not here" in note for note in made.notes)
    assert task.dataset.report.images == "valid"
    assert data_folder(None, task) == tmp_path / "toys"


def test_data_that_is_elsewhere_is_found_with_data_root(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    config = written(tmp_path)
    moved = config.rename(tmp_path / "configs" / "mine.py")
    (tmp_path / "toys").rename(tmp_path / "configs" / "toys")
    exports.roboflow(tmp_path / "far" / "toys")
    _, task = drafted(moved, tmp_path, data_root=str(tmp_path / "far"))
    assert data_folder(None, task) == tmp_path / "far" / "toys"


def test_two_train_files_here_and_there(tmp_path: Path) -> None:
    """Train is not here and a test file is: the paths stay what the config says, and nothing is looked at."""
    text = CONFIG.replace("'toys/train", "'nowhere/train")
    made, task = drafted(written(tmp_path, text), tmp_path)
    assert task.data_root is None
    assert any("data is not here" in note for note in made.notes)


def test_a_loader_inside_of_data_is_mmdet_2(tmp_path: Path) -> None:
    text = CONFIG.replace("samples_per_gpu=4, workers_per_gpu=0", "train_dataloader=dict(samples_per_gpu=3)")
    made, task = drafted(written(tmp_path, text), tmp_path)
    assert task.schedule.samples_per_gpu == 3
    assert any("train_dataloader" in note for note in made.notes)
