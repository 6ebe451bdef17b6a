"""Imports run downward only, no files import each other in a circle, and each heavy library has its own rooms."""

from __future__ import annotations

import ast
import graphlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdbench

ROOT = Path(kdbench.__file__).parent
ORDER = (
    ("__init__", "__main__"),
    ("cli",),
    ("resuming",),
    ("studies", "suites"),
    ("outcome",),
    ("running",),
    ("planning",),
    ("testing",),
    ("training",),
    ("evaluation",),
    ("search",),
    ("leaderboard",),
    ("detectors",),
    ("methods",),
    ("data",),
    ("tracking",),
    ("ops",),
    ("specs",),
    ("errors", "_version"),
)
"""The rooms from the top down. One may import itself and what lies below it; files beside each other do not."""
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
NARROW = {
    "testing": {"training", "detectors", "methods", "data", "specs", "ops"},
    "training": {"evaluation", "detectors", "methods", "data", "specs", "ops"},
    "evaluation": {"detectors", "data", "specs", "ops"},
    "search": {"leaderboard", "specs"},
    "leaderboard": {"tracking", "specs"},
    "detectors": {"methods", "specs", "ops"},
    "methods": {"specs"},
    "data": {"specs", "ops"},
    "tracking": {"specs"},
    "ops": set[str](),
}
"""Rooms that may import less than what lies below them."""
MMDET = {"training", "evaluation", "detectors", "data", "ops"}
HEAVY = {
    "ray": {"running"},
    "optuna": {"search", "outcome"},
    "mlflow": {"tracking"},
    "mmdet": MMDET,
    "mmcv": MMDET,
    "torch": {"outcome", "running", "planning", "testing", "methods", *MMDET},
}
"""Heavy libraries, and the rooms that may import them."""


def modules(root: Path) -> dict[str, Path]:
    """Every file of the package by its dotted name; a folder's name is its `__init__`."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if "_data" not in parts:
            found[".".join(["kdbench", *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules that a file imports, at the top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def room_of(module: str) -> str:
    """The room that a module lies in; files beside the rooms are rooms of their own."""
    return [*module.split("."), "__init__"][1]


def breaches(module: str, known: dict[str, Path]) -> list[str]:
    """Every import of a file that goes upward, or is of a heavy library in a room that is not its own."""
    room, found = room_of(module), []
    for other in imports(known[module], known):
        top, target = other.partition(".")[0], room_of(other)
        if top in HEAVY and room not in HEAVY[top]:
            found.append(f"{module} imports {other}, which belongs to {sorted(HEAVY[top])}")
        if top != "kdbench" or room == target:
            continue
        allowed = target in NARROW[room] if room in NARROW and target not in ORDER[-1] else True
        if LEVEL[target] <= LEVEL[room] or not allowed:
            found.append(f"{module} imports {other}, which is not below it")
    return found


def circle(root: Path) -> list[str] | None:
    """Files that import each other in a circle, one such circle if there are any."""
    known = modules(root)
    graph = {module: {m for m in imports(path, known) if m in known} - {module} for module, path in known.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return None


@pytest.mark.parametrize("module", modules(ROOT))
def test_a_file_imports_only_what_its_room_may(module: str) -> None:
    assert breaches(module, modules(ROOT)) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(ROOT) is None


def test_every_room_has_its_place() -> None:
    assert {room_of(module) for module in modules(ROOT)} == set(LEVEL)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package, for planting something in it."""
    return Path(shutil.copytree(ROOT, tmp_path / "kdbench", ignore=shutil.ignore_patterns("*.pyc")))


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("search/board.py", "from kdbench.running import cluster", "kdbench.running.cluster, which is not below it"),
        ("search/board.py", "import kdbench.training.train", "kdbench.training.train, which is not below it"),
        ("specs/task.py", "from kdbench.data import prepare", "kdbench.data, which is not below it"),
        ("leaderboard/rows.py", "from kdbench.detectors import models", "kdbench.detectors.models, which is not below"),
        ("studies.py", "from kdbench.suites import bench", "kdbench.suites, which is not below it"),
        ("search/rungs/halving.py", "def f():\n    import ray", "imports ray, which belongs to ['running']"),
        (
            "search/rungs/halving.py",
            "from ray.tune.schedulers import ASHAScheduler",
            "ray.tune.schedulers, which belongs to",
        ),
        ("planning/study.py", "import mmdet.models", "mmdet.models, which belongs to"),
        ("leaderboard/rows.py", "import torch", "torch, which belongs to"),
    ],
)
def test_a_planted_breach_is_found(copy: Path, file: str, line: str, told: str) -> None:
    path = copy / file
    path.write_text(f"{path.read_text()}\n{line}\n")
    known = modules(copy)
    (found,) = [breach for module in known for breach in breaches(module, known)]
    assert told in found


def test_a_planted_circle_is_found(copy: Path) -> None:
    path = copy / "search" / "ledger.py"
    path.write_text(f"{path.read_text()}\ndef f():\n    from kdbench.search.reuse import reported\n")
    found = circle(copy)
    assert found is not None
    assert {"kdbench.search.ledger", "kdbench.search.finding", "kdbench.search.reuse"} <= set(found)


def loaded(code: str) -> list[str]:
    """Which heavy libraries are there after some code, run in a process of its own."""
    heavy = sorted({*HEAVY, "pandas", "torchvision"})
    code += f"\nimport sys; print([m for m in {heavy!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return list(ast.literal_eval(shown.strip().splitlines()[-1]))


def seconds(*command: str) -> float:
    """Of a process; the best of five, because the machine may be busy with something else."""

    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        return time.perf_counter() - began

    return min(once() for _ in range(5))


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["leaderboard", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded(f"from kdbench.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass") == []


def test_help_is_quick() -> None:
    assert seconds("-m", "kdbench", "--help") < 0.5


def test_the_brain_is_light() -> None:
    files = sorted(module for module in modules(ROOT) if room_of(module) == "search")
    assert loaded(f"import {', '.join(files)}") == []
