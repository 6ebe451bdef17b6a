"""`kdbench train` takes a real step first, as a search does, and says what of a config it does not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kdbench.errors import InputError
from kdbench.running.single import Options, train_file

SMALL = {
    "dataset.image_size": [64, 64],
    "dataset.train.size": 8,
    "dataset.search.size": 2,
    "dataset.report.size": 2,
    "pipeline.image_scale": [64, 64],
    "schedule.epochs": 1,
    "schedule.samples_per_gpu": 4,
    "teacher_schedule.epochs": 1,
}
OWN = """
import os.path
import mmdet
_base_ = os.path.join(os.path.dirname(mmdet.__file__), '.mim/configs/retinanet/retinanet_r18_fpn_1x_coco.py')
load_from = 'gone.pth'
"""


def recipe(folder: Path, changes: dict[str, Any], **keys: Any) -> str:
    content = {"task": "shapes", "set": {**SMALL, **changes}, **keys}
    (folder / "short.yaml").write_text(yaml.safe_dump(content))
    return str(folder / "short.yaml")


def options(folder: Path) -> Options:
    return Options(storage=str(folder / "home"), device="cpu", threads=1, track=False)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_what_fails_in_a_step_is_one_line_before_anything_is_trained(
    role: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    own = {f"{network}.config": str(tmp_path / "own.py") for network in ("student", "teacher")}
    wrong = {f"{role}.model.train_cfg.assigner.pos_iou_thr": "much"}
    with pytest.raises(InputError, match=f"^task shapes, {role} .*fails where it takes a training step") as caught:
        train_file(recipe(tmp_path, {**own, **wrong}, method="pkd"), options(tmp_path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "home" / "runs").exists()
    assert not (tmp_path / "home" / "teachers").exists()
    said = capsys.readouterr().err
    assert said.count("only `model` is taken; not read: load_from (use student.init), data") == 1
