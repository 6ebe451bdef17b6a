"""From nothing to a finished search in two commands: `kdbench task` and `kdbench search`, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import exports
from tests.integration.running import Run, result

TINY = (
    *("--trials", 1, "--epochs", 1, "--set", "teacher_schedule.epochs=1", "--set", "dataset.repeat=1"),
    *("--set", "baseline.trials=1"),
)
CONFIG = """
import os.path
import mmdet
_base_ = os.path.join(os.path.dirname(mmdet.__file__), '.mim/configs/retinanet/retinanet_r18_fpn_1x_coco.py')
model = dict(
    backbone=dict(base_channels=16, stem_channels=16, init_cfg=None, norm_eval=False),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32, stacked_convs=1, num_classes=2))
norm = dict(mean=[100.0, 110.0, 120.0], std=[50.0, 51.0, 52.0], to_rgb=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='Expand', mean=norm['mean'], to_rgb=True, ratio_range=(1, 2)),
    dict(type='MinIoURandomCrop', min_ious=(0.5, 0.7), min_crop_size=0.5),
    dict(type='Resize', img_scale=[(96, 48), (96, 64)], multiscale_mode='value', keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.5),
    dict(type='Normalize', **norm),
    dict(type='Pad', size_divisor=32),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels'])]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiScaleFlipAug', img_scale=(96, 64), flip=False, transforms=[
        dict(type='Resize', keep_ratio=True), dict(type='RandomFlip'), dict(type='Normalize', **norm),
        dict(type='Pad', size_divisor=32), dict(type='ImageToTensor', keys=['img']), dict(type='Collect', keys=['img'])])]
data = dict(
    _delete_=True, samples_per_gpu=4, workers_per_gpu=0,
    train=dict(type='CocoDataset', classes=('ball', 'box'), pipeline=train_pipeline,
        ann_file='train/_annotations.coco.json', img_prefix='train/'),
    val=dict(type='CocoDataset', classes=('ball', 'box'), pipeline=test_pipeline,
        ann_file='valid/_annotations.coco.json', img_prefix='valid/'),
    test=dict(type='CocoDataset', classes=('ball', 'box'), pipeline=test_pipeline,
        ann_file='test/_annotations.coco.json', img_prefix='test/'))
optimizer = dict(_delete_=True, type='AdamW', lr=0.001, weight_decay=0.05,
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'backbone': dict(lr_mult=0.5)}))
optimizer_config = dict(_delete_=True, grad_clip=dict(max_norm=10, norm_type=2))
lr_config = dict(warmup='linear', warmup_iters=3, warmup_ratio=0.1, step=[1])
runner = dict(type='EpochBasedRunner', max_epochs=2)
"""


def two_commands(kdbench: Callable[..., Run], source: Path, tmp_path: Path, *options: str) -> Path:
    """The storage folder after both; every trial is completed and told what it reached."""
    task, storage = tmp_path / "mine.yaml", tmp_path / "home"
    draft = kdbench("task", source, "-o", task, "--storage", storage, *options)
    assert draft.wait() == 0, draft.text()
    search = kdbench("search", "fgd", "--task", task, "--storage", storage, *TINY)
    assert search.wait() == 0, search.text()
    trials = result(storage, "fgd-mine")
    assert {name: trial["end"] for name, trial in trials.items()} == dict.fromkeys(
        ("teacher", "none-000", "fgd-000"), "completed"
    )
    assert all(list(trial["values"]) == [1] for trial in trials.values())
    assert "fgd-000" in search.text()
    return storage


@pytest.mark.slow
def test_an_mmdet_config_with_its_own_pipeline(kdbench: Callable[..., Run], tmp_path: Path) -> None:
    (exports.roboflow(tmp_path / "toys") / "mine.py").write_text(CONFIG)
    storage = two_commands(kdbench, tmp_path / "toys" / "mine.py", tmp_path)
    trained = (storage / "studies" / "fgd-mine" / "trials" / "fgd-000" / "mmdet_config.py").read_text()
    for words in ("PhotoMetricDistortion", "MinIoURandomCrop", "mean=[100.0, 110.0, 120.0]", "lr_mult=0.5", "AdamW"):
        assert words in trained


@pytest.mark.slow
@pytest.mark.parametrize("export", [exports.in_one, exports.label_img, exports.roboflow, exports.yolo])
def test_a_folder(export: Callable[[Path], Path], kdbench: Callable[..., Run], tmp_path: Path) -> None:
    two_commands(kdbench, export(tmp_path / "toys"), tmp_path, "--student", "small")
