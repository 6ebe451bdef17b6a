"""Imports run downward only, and each heavy library is imported in its own rooms only (DESIGN.md, section 2)."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdbench

ROOT = Path(kdbench.__file__).parent
HEAVY = {
    "ray": {"search"},
    "optuna": {"search"},
    "mlflow": {"tracking"},
    "mmdet": {"detectors", "data", "training", "ops"},
    "mmcv": {"detectors", "data", "training", "ops"},
}
# A room may import itself and the rooms named here.
BELOW = {
    "cli": {"search", "leaderboard", "training", "tracking", "methods", "detectors", "data", "specs", "ops"},
    "search": {"leaderboard", "training", "tracking", "methods", "detectors", "data", "specs", "ops"},
    "leaderboard": {"tracking", "specs"},
    "tracking": {"specs"},
    "training": {"methods", "detectors", "data", "specs", "ops"},
    "testing": {"training", "methods", "detectors", "data", "specs", "ops"},
    "methods": {"specs"},
    "detectors": {"methods", "specs", "ops"},
    "data": {"specs", "ops"},
    "specs": set(),
    "ops": set(),
}


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, at the top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted(path for path in ROOT.rglob("*.py") if "_data" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    for module in imports(path):
        top = module.partition(".")[0]
        if top in HEAVY and (room not in HEAVY[top]):
            pytest.fail(f"{path.name} in {room}/ imports {module}; {top} belongs to {sorted(HEAVY[top])}")
        parts = module.split(".")
        if top == "kdbench" and len(parts) > 1 and parts[1] in BELOW and room in BELOW and parts[1] != room:
            assert parts[1] in BELOW[room], f"{room}/{path.name} imports upward: {module}"


def test_the_fence_would_catch_a_breach(tmp_path: Path) -> None:
    file = tmp_path / "breach.py"
    file.write_text("def f():\n    from ray import tune\n")
    assert "ray" in list(imports(file))


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["leaderboard", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from kdbench.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'ray', 'mlflow', 'mmcv', 'optuna', 'pandas') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip().endswith("[]")


def test_help_is_quick() -> None:
    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "kdbench", "--help"], capture_output=True, check=True)
        return time.perf_counter() - began

    # The bar is 0.5 s; the best of five, because the machine may be busy with something else.
    assert min(once() for _ in range(5)) < 0.5
