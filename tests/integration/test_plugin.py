"""A method that lives in another package, found by its entry point, searched like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.integration.running import check_mlflow, result

SETUP = """
[metadata]
name = kdbench-mimic
version = 1.0

[options]
py_modules = kdbench_mimic

[options.entry_points]
kdbench.methods =
    mimic = kdbench_mimic:Mimic
"""
CODE = '''
from pydantic import Field
from torch.nn import functional as F

from kdbench.methods.base import Method, MethodParams, Taps


class Mimic(Method):
    """Mean squared error between the FPN levels of networks of equal width."""

    class Params(MethodParams):
        weight: float = Field(1.0, ge=0)

    name = "mimic"
    weights = ("weight",)

    def taps(self):
        return Taps(neck=self.params.weight > 0)

    def forward(self, student, teacher, batch, progress):
        pairs = zip(student.neck, teacher.neck, strict=True)
        return {"loss_mimic": self.params.weight * sum(F.mse_loss(s, t) for s, t in pairs)}
'''


def test_a_method_of_another_package(tmp_path: Path, tiny_task: Path, kdbench: Callable) -> None:
    source, site, storage = tmp_path / "source", tmp_path / "site", tmp_path / "runs"
    source.mkdir()
    (source / "setup.cfg").write_text(SETUP)
    (source / "setup.py").write_text("from setuptools import setup\n\nsetup()\n")
    (source / "kdbench_mimic.py").write_text(CODE)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
    ]
    subprocess.run([*pip, str(source)], check=True)

    space = tmp_path / "mimic.yaml"
    space.write_text("method: mimic\nparams:\n  weight: {loguniform: [0.1, 10]}\n")
    found = {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    arguments = ["--task", tiny_task, "--storage", storage, "--set", "baseline.trials=1", "--epochs", 1, "--name", "s"]
    run = kdbench("search", "mimic", "--space", space, "--trials", 1, *arguments, **found)
    assert run.wait() == 0, run.text()
    table = result(storage, "s")
    assert {name: entry["end"] for name, entry in table.items()} == dict.fromkeys(
        ["teacher", "none-000", "mimic-000"], "completed"
    )
    assert table["mimic-000"]["recipe"]["method"] == {"name": "mimic", "params": {"weight": 1.0}}
    check_mlflow(storage, "s")

    listed = kdbench("list", "methods", **found)
    assert listed.wait() == 0, listed.text()
    assert "mimic" in listed.text()
