"""A tiny CrowdHuman of drawn people, from the odgt file to mMR, AP and JI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from kdbench.cli import main
from kdbench.data import prepare
from kdbench.errors import InputError
from kdbench.planning.resolving import look_at_models
from kdbench.running.single import Options, train_file
from kdbench.specs import resources
from kdbench.specs.recipe import task_recipe
from kdbench.specs.task import load_task
from kdbench.training.callbacks import Outcome
from kdbench.training.job import Job
from kdbench.training.train import train

FIGURES = ("mMR", "AP", "JI", "JI_threshold", "mAP")


def draw(folder: Path, name: str, number: int, seed: int) -> None:
    """An odgt file and its images, 128x128: upright bars, some beyond the border, and a crowd to ignore in each."""
    random = np.random.default_rng(seed)
    lines = []
    for index in range(number):
        ID = f"{seed},{index:04d}"
        image = random.normal(128, 20, (128, 128, 3)).clip(0, 255).astype(np.uint8)
        boxes = []
        for _ in range(int(random.integers(1, 4))):
            x, y, w = (int(side) for side in (*random.integers(-8, 90, 2), random.integers(18, 30)))
            full = [x, y, w, 2 * w]
            left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, 128), min(y + 2 * w, 128)
            image[top:bottom, left:right] = random.integers(0, 60, 3)
            part = [left, top, right - left, bottom - top]
            boxes.append({"tag": "person", "fbox": full, "vbox": part, "hbox": part, "extra": {"box_id": len(boxes)}})
        crowd = [100, 100, 28, 28]
        boxes.append({"tag": "mask", "fbox": crowd, "vbox": crowd, "hbox": crowd, "extra": {"ignore": 1}})
        lines.append(json.dumps({"ID": ID, "gtboxes": boxes}))
        cv2.imwrite(str(folder / "Images" / f"{ID}.jpg"), image)
    (folder / name).write_text("\n".join(lines) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "Images").mkdir(parents=True)
    draw(folder, "annotation_train.odgt", 32, 1)
    draw(folder, "annotation_val.odgt", 6, 2)
    return folder


def tiny(path: Path, base: str, **changes: Any) -> Path:
    """A shipped task with the dataset of CrowdHuman's, small images and one epoch."""
    folder = resources.folder("benchmarks/tasks")
    data = yaml.safe_load((folder / f"{base}.yaml").read_text())
    data["dataset"] = yaml.safe_load((folder / "crowdhuman/faster_rcnn_r50.yaml").read_text())["dataset"]
    data["dataset"]["search"] = {"cut": 6}
    data["pipeline"]["image_scale"] = [128, 128]
    data["schedule"].update(epochs=1)
    data.update({"name": "tiny_crowd", "metric": "mMR", "floor": None, **changes})
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def run(task_file: Path, root: Path, folder: Path) -> Outcome:
    task = load_task(str(task_file))
    data = prepare(task.dataset, folder, root)
    recipe = task_recipe(task, "none", {}, {}, None, 0)
    return train(Job(recipe, data, folder / "work", device="cpu", threads=1, report=True))


@pytest.mark.parametrize("base", ["shapes", "shapes_two_stage"])
def test_an_epoch_reports_mmr_ap_and_ji(tmp_path: Path, root: Path, base: str) -> None:
    outcome = run(tiny(tmp_path / "task.yaml", base), root, tmp_path / "storage")
    assert outcome.end == "completed"
    (entry,) = outcome.history
    for prefix, figures in (("val/", entry.metrics), ("report/", outcome.summary)):
        for name in FIGURES:
            assert 0 <= figures[prefix + name] <= 1, name
    assert entry.value == entry.metrics["val/mMR"] == outcome.summary["best/mMR"]
    assert outcome.summary["best/mAP"] == entry.metrics["val/mAP"]


def test_the_best_of_an_epoch_is_the_lowest_and_a_floor_is_above(tmp_path: Path, root: Path) -> None:
    dead = tiny(tmp_path / "dead.yaml", "shapes", floor=0.0)
    outcome = run(dead, root, tmp_path / "dead")
    assert outcome.end == "infeasible"
    assert outcome.reason is not None
    assert "worse than the task's floor of 0.0" in outcome.reason
    data = yaml.safe_load(tiny(tmp_path / "two.yaml", "shapes").read_text())
    data["schedule"]["epochs"] = 2
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(data))
    outcome = run(tmp_path / "two.yaml", root, tmp_path / "two")
    assert outcome.summary["best/mMR"] == min(entry.value for entry in outcome.history)


def test_a_metric_of_one_class_is_refused_before_training(tmp_path: Path) -> None:
    task = load_task("shapes", {"metric": "mMR", "dataset.train.size": 2, "dataset.search.size": 1})
    data = prepare(task.dataset, tmp_path, None)
    with pytest.raises(InputError, match="task shapes, student: metric mMR is of one class and the data has 3"):
        train(Job(task_recipe(task, "none", {}, {}, None, 0), data, tmp_path / "work", device="cpu", threads=1))
    with pytest.raises(InputError, match="task shapes, student: metric mMR is of one class"):
        look_at_models(task, data.classes)
    masks = task.model_copy(update={"metric": "segm_mAP"})
    with pytest.raises(InputError, match="metric segm_mAP is of masks and the model has no mask head"):
        look_at_models(masks, data.classes)


@pytest.mark.slow
def test_an_exported_student_has_the_mmr_that_was_recorded(tmp_path: Path, root: Path) -> None:
    draw(root, "annotation_train.odgt", 70, 1)
    draw(root, "annotation_val.odgt", 12, 2)
    file = tiny(tmp_path / "task.yaml", "shapes")
    task = yaml.safe_load(file.read_text())
    task["schedule"]["epochs"] = 6
    file.write_text(yaml.safe_dump(task))
    (tmp_path / "short.yaml").write_text(yaml.safe_dump({"task": str(file), "method": "none"}))
    storage = tmp_path / "runs"
    options = Options(storage=str(storage), data_root=str(root), device="cpu", threads=1, report=True)
    outcome = train_file(str(tmp_path / "short.yaml"), options)
    assert 0 < outcome.summary["report/mMR"] < 0.9, "nothing was learnt, so nothing can be verified"
    (recipe,) = (folder.name for folder in (storage / "runs").iterdir())
    with pytest.raises(SystemExit) as done:
        main(["export", "train", "--trial", recipe, "--storage", str(storage), "-o", str(tmp_path / "out")])
    assert not done.value.code
    figures = json.loads((tmp_path / "out" / "evidence.json").read_text())["verification"]["figures"]
    measured = {one["name"]: one["measured"] for one in figures if one["split"] == "report"}
    for name in ("mMR", "AP", "JI", "mAP"):
        assert measured[name] == pytest.approx(outcome.summary[f"report/{name}"], abs=1e-6)
