"""A disk that is full or cannot be written: real ones, small file systems in memory that only the test's command sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.running import write_tiny

OWN_MOUNTS = ["unshare", "--map-root-user", "--mount"]
KDBENCH = "-m", "kdbench"


def on_a_disk(folder: Path, size: str, *arguments: object, before: str = "true") -> tuple[int, str]:
    """Exit code and stderr of python with `arguments`, while a disk of `size` bytes is mounted on `folder`.

    Args:
        before: shell commands in the folder, before python begins.
    """
    folder.mkdir()
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && (cd "$0" && {before}) && exec "$@"'
    command = [*OWN_MOUNTS, "sh", "-c", script, str(folder), sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.fixture(autouse=True)
def own_mounts(tmp_path: Path) -> None:
    try:
        code, _ = on_a_disk(tmp_path / "tried", "64k", "-c", "")
    except FileNotFoundError:
        code = 1
    if code:
        pytest.skip("this system lets nobody mount a file system of his own")


def test_a_storage_that_may_only_be_read(tmp_path: Path) -> None:
    """shared/failing/40: refused before anything is done."""
    disk = tmp_path / "disk"
    read_only = f'mkdir kd && cd / && mount -o remount,ro "{disk}"'
    arguments = (*KDBENCH, "search", "none", "--trials", 1, "--storage", disk / "kd")
    code, told = on_a_disk(disk, "64k", *arguments, before=read_only)
    expected = f"kdbench: --storage {disk}/kd: cannot be written (Read-only file system); give another folder\n"
    assert (code, told) == (2, expected)


def test_no_room_from_the_start(tmp_path: Path) -> None:
    """shared/failing/41, on a disk that is full already."""
    disk = tmp_path / "disk"
    code, told = on_a_disk(disk, "16k", *KDBENCH, "search", "none", "--trials", 1, "--storage", disk)
    expected = f"kdbench: --storage {disk}: cannot be written (No space left on device); give another folder\n"
    assert (code, told) == (2, expected)


def test_no_room_for_the_data(tmp_path: Path) -> None:
    """shared/failing/41: the disk becomes full while images are written."""
    disk, task = tmp_path / "disk", write_tiny(tmp_path / "tiny.yaml", "shapes")
    code, told = on_a_disk(disk, "192k", *KDBENCH, "search", "none", "--task", task, "--storage", disk)
    assert code == 1
    assert told.splitlines()[-1].startswith(f"kdbench: no space left on {disk}/"), told
    assert "Traceback" not in told


def test_no_room_for_the_tracking_database(tmp_path: Path) -> None:
    """shared/failing/41: SQLAlchemy's and MLflow's traces were shown."""
    disk = tmp_path / "disk"
    program = f"""
from kdbench.errors import RunError
from kdbench.tracking.client import connect
try:
    connect("sqlite:///{disk}/mlflow.db")
except RunError as error:
    print(error, file=__import__("sys").stderr)
"""
    code, told = on_a_disk(disk, "128k", "-c", program)
    assert code == 0
    expected = f"no space left for sqlite:///{disk}/mlflow.db; make room there, or give another --storage\n"
    assert told == expected


def test_no_room_for_a_checkpoint(tmp_path: Path) -> None:
    """shared/failing/41: the checkpoint before it stays, whole, and a trial's reason says so."""
    disk = tmp_path / "disk"
    program = f"""
import os, sys, torch
from pathlib import Path
from kdbench.detectors.writing import write_whole
from kdbench.running.trial import _reason
path = Path("{disk}/checkpoint.pth")
write_whole(path, {{"w": torch.zeros(10)}})
try:
    write_whole(path, {{"w": torch.zeros(100_000)}})
except OSError as error:
    print(_reason(error, path.parent), file=sys.stderr)
assert torch.load(path)["w"].numel() == 10
assert os.listdir(path.parent) == [path.name], os.listdir(path.parent)
"""
    code, told = on_a_disk(disk, "64k", "-c", program)
    assert code == 0, told
    assert told.splitlines()[-1].startswith(f"no space left on {disk}; make room there"), told
