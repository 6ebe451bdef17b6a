"""Trained students, one-stage and two-stage, exported and then loaded as the card says, in plain mmdet."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from kdbench.cli import main
from kdbench.running.single import Options, train_file
from kdbench.search.finding import find
from tests.integration.running import ENVIRONMENT, write_tiny

NAMES = {"README.md", "annotations", "config.py", "evidence.json", "recipe.json", "student.pth"}


@dataclass
class Student:
    """A run of `kdbench train`: where it is, and what was recorded."""

    storage: Path
    recipe: str
    figures: dict[str, float]

    def export(self, output: Path, *more: str) -> int:
        """`kdbench export`, and its exit code."""
        own = ["--trial", self.recipe, "--storage", str(self.storage), "-o", str(output)]
        with pytest.raises(SystemExit) as done:
            main(["export", "train", *own, *more])
        return int(done.value.code or 0)


def trained(folder: Path, base: str, method: str, **changes: Any) -> Student:
    """Train for so long that something is detected: a student that detects nothing is like any other."""
    file = write_tiny(folder / f"{base}_export.yaml", base)
    task = yaml.safe_load(file.read_text())
    task["dataset"]["train"] = {"size": 64}
    task["schedule"]["epochs"] = 6
    file.write_text(yaml.safe_dump({**task, **changes}, sort_keys=False))
    short = folder / "short.yaml"
    short.write_text(yaml.safe_dump({"task": str(file), "method": method}))
    storage = folder / "runs"
    train_file(str(short), Options(storage=str(storage), device="cpu", threads=1, report=True))
    workdirs = [path.parent for path in (storage / "runs").glob("*/outcome.json")]
    (recipe,) = (path.name for path in workdirs if not json.loads((path / "outcome.json").read_text())["teacher"])
    one = find(storage, f"train/{recipe}")
    last = one.reports[6]
    figures = {"search": last["val/mAP"], "report": one.summary["report/mAP"]}
    assert min(figures.values()) > 0, "nothing was learnt, so nothing can be verified"
    return Student(storage, recipe, figures)


@pytest.fixture(scope="module")
def one_stage(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """RetinaNet, distilled: its teacher and its adapters must not be in what is exported."""
    return trained(tmp_path_factory.mktemp("one"), "shapes", "defeat")


@pytest.fixture(scope="module")
def two_stage(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """Faster R-CNN, ranked by a metric that plain mmdet does not compute."""
    return trained(tmp_path_factory.mktemp("two"), "shapes_two_stage", "none", metric="AP50_11")


def as_the_card_says(folder: Path) -> float:
    """Run the code of README.md in the folder; the mAP that it prints."""
    found = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert found
    code = found[1] + "\nimport sys; print([m for m in sys.modules if m.startswith('kdbench.')])\n"
    environment = {**os.environ, **ENVIRONMENT, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = re.findall(r"'kdbench\.(\w+)", done.stdout.splitlines()[-1])
    assert set(loaded) <= {"ops", "_version", "errors"}
    printed = re.search(r"'bbox_mAP', ([\d.]+)", done.stdout) or re.search(r"'bbox_mAP': ([\d.]+)", done.stdout)
    assert printed, done.stdout
    return float(printed[1])


def test_a_one_stage_student_exported_and_registered(
    one_stage: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert one_stage.export(folder, "--register", "tiny") == 0, capsys.readouterr().err
    assert "tiny: version 1" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    state = torch.load(folder / "student.pth", weights_only=True)
    assert not [name for name in state["state_dict"] if not name.startswith(("backbone.", "neck.", "bbox_head."))]
    assert state["meta"]["CLASSES"] == ["circle", "square", "triangle"]
    evidence = json.loads((folder / "evidence.json").read_text())
    measured = {one["split"]: one["measured"] for one in evidence["verification"]["figures"] if one["name"] == "mAP"}
    assert measured == pytest.approx(one_stage.figures, abs=1e-6)
    assert evidence["row"]["method"] == "defeat"
    assert as_the_card_says(folder) == pytest.approx(one_stage.figures["report"], abs=1e-6)
    (version,) = registry(one_stage).search_model_versions("name = 'tiny'")
    assert version.tags["kdbench.recipe"] == one_stage.recipe
    assert float(version.tags["kdbench.figure"]) == pytest.approx(one_stage.figures["report"], abs=1e-6)
    kept = registry(one_stage).list_artifacts(version.run_id, "export")
    assert {Path(entry.path).name for entry in kept} == NAMES


@pytest.mark.slow
def test_registered_twice_is_one_version(
    one_stage: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        assert one_stage.export(tmp_path / name, "--register", "twice") == 0, capsys.readouterr().err
    assert "twice: version 1, registered before" in capsys.readouterr().out
    assert len(registry(one_stage).search_model_versions("name = 'twice'")) == 1


def test_a_two_stage_student_by_a_metric_that_mmdet_lacks(
    two_stage: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert two_stage.export(tmp_path / "out") == 0, capsys.readouterr().err
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_text())["verification"]["figures"]
    by = {(one["split"], one["name"]): one["by"] for one in evidence}
    assert by["search", "AP50_11"] == by["report", "AP50_11"] == "kdbench"
    assert by["report", "mAP"] == "mmdet"
    assert all(abs(one["recorded"] - one["measured"]) <= 1e-6 for one in evidence)
    assert as_the_card_says(tmp_path / "out") == pytest.approx(two_stage.figures["report"], abs=1e-6)


def test_a_spoilt_weight_is_refused_and_leaves_nothing(
    two_stage: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = two_stage.storage / "runs" / two_stage.recipe / "student.pth"
    whole = weights.read_bytes()
    content = torch.load(weights, weights_only=True)
    content["state_dict"]["roi_head.bbox_head.fc_cls.weight"] *= -1
    torch.save(content, weights)
    try:
        assert two_stage.export(tmp_path / "out", "--register", "spoilt") == 1
    finally:
        weights.write_bytes(whole)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"AP50_11 on the search split was recorded as [\d.e-]+, and plain mmdet measures [\d.e-]+", last)
    assert list(tmp_path.iterdir()) == []
    assert "spoilt" not in [model.name for model in registry(two_stage).search_registered_models()]


def registry(student: Student) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{student.storage / 'mlflow.db'}")
