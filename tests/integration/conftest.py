"""What the integration tests share: a task of seconds, and the command line in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import Run, write_tiny


@pytest.fixture(scope="session")
def tiny_task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task `shapes` with few and small images and short training; every other setting is the real one."""
    return write_tiny(tmp_path_factory.mktemp("task") / "tiny.yaml", "shapes")


@pytest.fixture(scope="session")
def tiny_two_stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("task") / "tiny_two_stage.yaml", "shapes_two_stage")


@pytest.fixture
def kdbench(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start a command; whatever is left of it is killed at the end of the test."""
    runs: list[Run] = []

    def start(*arguments: Any, **environment: str) -> Run:
        run = Run([str(a) for a in arguments], tmp_path / f"run-{len(runs)}.log", **environment)
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.kill_everything()
