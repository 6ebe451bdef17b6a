"""Images that are damaged, turned, or fail in the middle: trained on, measured, shown and exported, or said why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from kdbench.cli import main
from kdbench.data import prepare
from kdbench.running.single import Options, train_file
from kdbench.specs.recipe import task_recipe
from kdbench.specs.task import load_task
from kdbench.training.job import Job
from kdbench.training.train import train
from tests.unit.data.pictures import coco, cut, pixels, save

SMALL = {
    "config": "retinanet/retinanet_r18_fpn_1x_coco",
    "set": {
        "model.backbone.base_channels": 8,
        "model.backbone.stem_channels": 8,
        "model.backbone.frozen_stages": -1,
        "model.neck.in_channels": [8, 16, 32, 64],
        "model.neck.out_channels": 16,
        "model.bbox_head.in_channels": 16,
        "model.bbox_head.feat_channels": 16,
        "model.bbox_head.stacked_convs": 1,
    },
}


def task_file(root: Path, **size: Any) -> Path:
    """A task on images of a folder; one box, always at the same place, is learnt in no time."""
    schedule = {"epochs": 3, "optimizer": "AdamW", "lr": 0.01, "policy": "one_cycle", "samples_per_gpu": 2}
    content = {
        "name": "mine",
        "title": "images of all kinds",
        "dataset": {**coco(root, count=30, **size).plain(), "repeat": 4},
        "pipeline": {"image_scale": [96, 96], "flip": 0.0},
        "student": SMALL,
        "teacher": SMALL,
        "schedule": {**schedule, "grad_clip": 10, "norm": "BN", "norm_frozen": False},
    }
    path = root / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def trained(tmp_path: Path, task: Path) -> str:
    """The name of a completed training, measured on the report split."""
    short = tmp_path / "short.yaml"
    short.write_text(yaml.safe_dump({"task": str(task), "method": "none"}))
    options = Options(str(task.parent), str(tmp_path / "runs"), device="cpu", threads=1, report=True, track=False)
    outcome = train_file(str(short), options)
    assert outcome.end == "completed"
    assert outcome.summary["report/mAP"] > 0, "nothing was learnt, so nothing would show"
    return next(path.name for path in (tmp_path / "runs" / "runs").iterdir())


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(one) for one in arguments])
    return int(done.value.code or 0)


def test_images_that_plain_mmdet_does_not_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """shared/failing/01: the report split, read at the very end, ended the study."""
    root = tmp_path / "data"
    task = task_file(root)
    cut(root / "images" / "im3.jpg")
    cut(root / "images" / "im5.jpg")  # of the report split
    recipe = trained(tmp_path, task)
    told = capfd.readouterr().err
    assert "data: 2 images that end early used as far as they go" in told
    assert "Premature" not in told
    place = ("--storage", tmp_path / "runs")
    assert run("export", "train", "--trial", recipe, *place, "-o", tmp_path / "out") == 2
    assert "plain mmdet does not read 1 images of the report split as kdbench does (im5.jpg" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
    # Saved anew without loss it is the same image, whose figures plain mmdet measures.
    found = Image.fromarray(np.asarray(_as_read(root / "images" / "im5.jpg")))
    found.save(root / "images" / "im5.jpg", format="PNG")
    assert run("export", "train", "--trial", recipe, *place, "-o", tmp_path / "out") == 0, capfd.readouterr().err


def _as_read(file: Path) -> np.ndarray:
    from kdbench.data.images import read

    return read(file).pixels[..., ::-1]


def test_images_that_are_to_be_left_as_they_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """shared/failing/06, to the end: trained, exported to plain mmdet, and drawn with boxes where they belong."""
    root = tmp_path / "data"
    for number in range(30):
        save(root / "images" / f"im{number}.jpg", number, orientation=6)
    recipe = trained(tmp_path, task_file(root))
    place = ("--storage", tmp_path / "runs")
    assert run("export", "train", "--trial", recipe, *place, "-o", tmp_path / "out") == 0, capsys.readouterr().err
    assert "color_ignore_orientation" in (tmp_path / "out" / "config.py").read_text()

    from kdbench.outcome.looking import ground_truth
    from kdbench.search.finding import find

    one = find(tmp_path / "runs", f"train/{recipe}")
    data = prepare(one.recipe.dataset, tmp_path / "runs", root)
    truth = ground_truth(one.recipe, data, "report", [0])[0]
    assert np.abs(truth.pixels() - pixels(2).astype(float)).mean() < 25


def test_a_disk_that_fails_in_the_middle(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "data"
    task = load_task(str(task_file(root)))
    data = prepare(task.dataset, tmp_path / "runs", root)
    recipe = task_recipe(task, "none", {}, {}, None, 0)
    for number, content in ((3, b""), (4, b"<html>"), (5, b"\xff\xd8\xff")):  # of train, search and report
        (root / "images" / f"im{number}.jpg").write_bytes(content)
    outcome = train(Job(recipe, data, tmp_path / "work", None, device="cpu", threads=1, report=True), None)
    assert (outcome.end, outcome.reason) == ("completed", None)
    assert "report/mAP" in outcome.summary
    told, log = capfd.readouterr().err, (tmp_path / "work" / "log.txt").read_text()
    for number, words in (
        (3, "is empty; training takes another in its place"),
        (4, "is an HTML page and not an image, fetch it again; it counts as an image without detections"),
        (5, "is a JPEG that is cut or damaged; it counts as an image without detections"),
    ):
        line = f"im{number}.jpg: {words}"
        assert (told.count(line), log.count(line)) == (1, 1)
    assert json.loads(data.splits["report"].annotations.read_text())["images"][1]["file_name"] == "im5.jpg"
