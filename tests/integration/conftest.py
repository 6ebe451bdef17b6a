"""What the integration tests share: a task of seconds, and the command line in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import Run, write_tiny

WITHOUT_RAY = (
    "test_cost",
    "test_crowdhuman_training",
    "test_detectors_on_ops",
    "test_export",
    "test_mlflow_server",
    "test_mlflow_ui",
    "test_model_registry",
    "test_page",
    "test_replay",
    "test_strange_images",
    "test_training",
)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests begin first. Those that start Ray run in one worker, one after the other, as do those of a file."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(item.path.stem if item.path.stem in WITHOUT_RAY else "ray"))
    items.sort(key=lambda item: here not in item.path.parents)


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
