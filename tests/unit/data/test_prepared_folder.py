"""The prepared folder: whole or not there, whatever happened to the process or to the files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kdbench.data import prepare, read_prepared
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec


def shapes(train: int = 6, **changes: Any) -> DatasetSpec:
    values: dict[str, Any] = {"kind": "shapes", "name": "shapes", "image_size": [64, 64], "train": {"size": train}}
    return DatasetSpec.parse({**values, "search": {"size": 2}, "report": {"size": 2}, **changes}, "test")


CHILD = """
import sys
from pathlib import Path
from kdbench.data import prepare
from kdbench.specs.dataset import DatasetSpec
prepare(DatasetSpec.model_validate_json(sys.argv[2]), Path(sys.argv[1]), None)
"""


def test_killed_in_the_middle(tmp_path: Path) -> None:
    spec = shapes(train=1500)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), spec.model_dump_json()])
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("datasets/.shapes-*/images/train/*.png"))) < 20:
            assert child.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    assert not list(tmp_path.glob("datasets/shapes-*"))
    data = prepare(spec, tmp_path, None)
    assert data.splits["train"].num_images == len(list(data.splits["train"].images.iterdir())) == 1500


@pytest.mark.parametrize("lost", ["prepared.json", "search.json"])
def test_a_folder_that_lost_a_file_is_made_again(tmp_path: Path, lost: str) -> None:
    first = prepare(shapes(), tmp_path, None)
    before = (first.folder / lost).read_bytes()
    (first.folder / lost).unlink()
    assert prepare(shapes(), tmp_path, None) == first
    assert (first.folder / lost).read_bytes() == before
    assert not (first.folder / "damaged").exists()


def test_paths_are_absolute_though_storage_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = prepare(shapes(), Path("storage"), None)
    assert data.folder.is_absolute()
    assert read_prepared(Path(os.path.relpath(data.folder))) == data
    assert all(s.annotations.is_absolute() and s.images.is_absolute() for s in data.splits.values())


def test_the_folder_may_move(tmp_path: Path) -> None:
    data = prepare(shapes(), tmp_path / "a", None)
    (tmp_path / "a").rename(tmp_path / "b")
    moved = read_prepared(tmp_path / "b" / data.folder.relative_to(tmp_path / "a"))
    assert moved.splits["train"].images.is_dir()


def test_no_manifest_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"prepared\.json: cannot be read"):
        read_prepared(tmp_path)
    (tmp_path / "prepared.json").write_text('{"name": ')
    with pytest.raises(InputError, match=r"prepared\.json: broken JSON"):
        read_prepared(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"image_size": [16, 64]}, "32 pixels or more"), ({"classes": ["circle", "circle"]}, "names a class twice")],
)
def test_specs_that_cannot_work(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        shapes(**changes)
