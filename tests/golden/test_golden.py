"""The official implementations' numbers, against our methods.

Every *.npz under <folder>/<method>/ is tested; the folder is tests/golden/data or what KDBENCH_GOLDEN names. The cases
of a method live in cases/<method>.py and read the arrays only, never a file's name.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdbench.methods import registry

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("KDBENCH_GOLDEN") or HERE / "data").expanduser().absolute()
DATASETS = {"crowdhuman"}
"""Folders that hold a dataset's vectors and not a method's: each has a test file of its own."""


def failing(message: str) -> Any:
    def run() -> None:
        pytest.fail(message)

    return run


def collect(folder: Path) -> list[Any]:
    """One pytest parameter for each check of each file."""
    files = sorted(folder.rglob("*.npz"))
    if not files:
        return [pytest.param(failing(f"no *.npz under {folder}; set KDBENCH_GOLDEN to a folder of them"), id="empty")]
    shown = [file.relative_to(folder) for file in files]
    return [parameter for file in shown if file.parts[0] not in DATASETS for parameter in of_file(folder / file, file)]


def of_file(file: Path, shown: Path) -> list[Any]:
    method = shown.parts[0]
    label = shown.with_suffix("").as_posix()
    if method not in registry.names():
        reason = pytest.mark.skip(reason=f"{shown}: {method!r} is no method of kdbench")
        return [pytest.param(None, id=label, marks=reason)]
    if not (HERE / "cases" / f"{method}.py").is_file():
        return [pytest.param(failing(f"{shown}: write tests/golden/cases/{method}.py"), id=label)]
    try:
        with np.load(file, allow_pickle=False) as loaded:
            arrays = dict(loaded)
        checks = importlib.import_module(f"cases.{method}").cases(arrays)
    except Exception as error:
        return [pytest.param(failing(f"{shown}: cannot be read ({type(error).__name__}: {error})"), id=label)]
    if not checks:
        message = f"{shown}: no case of {method} knows these arrays: {', '.join(sorted(arrays)) or 'none'}"
        return [pytest.param(failing(message), id=label)]
    return [pytest.param(check.run, id=f"{label}::{check.name}") for check in checks]


@pytest.mark.parametrize("run", collect(FOLDER))
def test_golden(run: Any) -> None:
    torch.manual_seed(0)
    run()
