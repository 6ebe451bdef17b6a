"""Files and values that nobody means: too deep, too large, without an end, not a number."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.specs.base import load_yaml
from kdbench.specs.paths import storage_folder, writable
from kdbench.specs.reading import MAX_BYTES, check_plain, parse_yaml
from kdbench.specs.recipe import Recipe
from kdbench.specs.suite import SuiteSpec
from kdbench.specs.task import TaskSpec, load_task

FAILING = Path(__file__).parents[2] / "data" / "failing"


def aliases(levels: int) -> str:
    """A few lines that stand for ten to the power of `levels` values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


TEXTS = {
    "[" * 5000: "nested too deep",
    "a: " + "{b: " * 5000 + "1" + "}" * 5000: "nested too deep",
    "- " * 3000 + "x": "nested too deep",
    aliases(9): "values",
    "a: .inf": "key 'a': must be a finite number",
    "a: [1, .nan]": "key 'a.1'",
    f"a: {2**70}": "below 2\\^63",
    "a: " + "9" * 5000: "cannot be read",
    "a: 2026-13-45": "cannot be read",
    "a: [1}": "line 1, column",
    "a: !!python/object/apply:os.system [id]": "broken YAML",
}


@pytest.mark.parametrize(("text", "words"), TEXTS.items(), ids=range(len(TEXTS)))
def test_texts(tmp_path: Path, text: str, words: str) -> None:
    """shared/failing/50 and 51: what is too deep, too large or no number is told in a line."""
    path = tmp_path / "task.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as told:
        load_yaml(path)
    assert str(told.value).startswith(str(path))
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("read", [TaskSpec.load, SuiteSpec.load, Recipe.load, lambda path: load_task(str(path))])
def test_every_file_that_a_user_names_is_read_so(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    (tmp_path / "deep.yaml").write_text("- " * 300 + "x")
    with pytest.raises(InputError, match="nested too deep"):
        read(tmp_path / "deep.yaml")


@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "huge"])
def test_files_that_are_none(tmp_path: Path, kind: str) -> None:
    """shared/failing/51: a device has no end."""
    path = tmp_path / "task.yaml"
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with open(path, "wb") as file:
            file.truncate(MAX_BYTES + 1)  # no disk space is taken
    with pytest.raises(InputError, match=r"regular|folder|too large"):
        load_task(str(path))


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load_yaml(path) == {"a": 1}


def test_a_name_has_1_to_100_characters() -> None:
    data = load_yaml(FAILING / "52-long-names-and-lists" / "noname.yaml")
    for name in ("", "x" * 101):
        with pytest.raises(InputError, match="key 'name'") as told:
            TaskSpec.parse({**data, "name": name}, "mine.yaml")
        assert len(str(told.value)) < 250
    assert load_task("shapes", {"name": "x" * 100}).name == "x" * 100


VALUES: list[tuple[str, Any]] = [
    ("schedule.lr", float("inf")),
    ("schedule.weight_decay", float("nan")),
    ("schedule.epochs", 10**9),
    ("schedule.samples_per_gpu", 10**9),
    ("schedule.gpus", 10**6),
    ("pipeline.image_scale", [0, 0]),
    ("pipeline.image_scale", [-64, 64]),
    ("pipeline.image_scale", [10**6, 10**6]),
    ("pipeline.short_sides", [0]),
    ("pipeline.mean", [float("nan"), 0, 0]),
    ("pipeline.std", [0, 1, 1]),
    ("pipeline.workers", 10**6),
    ("floor", float("nan")),
    ("student.model.neck.out_channels", float("inf")),
]


@pytest.mark.parametrize(("key", "value"), VALUES, ids=lambda value: str(value))
def test_numbers_of_a_task(key: str, value: Any) -> None:
    """shared/failing/50: every number is finite and has bounds."""
    with pytest.raises(InputError, match=key.split(".")[-1]):
        load_task("shapes", {key: value})


def test_what_is_meant_is_read() -> None:
    check_plain({"a": [1, 2.5, None, "x", {"b": -(2**62)}]}, "here")
    assert parse_yaml("a: [1, 2e-3, yes]", "here") == {"a": [1, "2e-3", True]}


@pytest.mark.parametrize("place", ["/proc/x", "/sys/x", "{tmp}/file/below", "x" * 300, "{tmp}/" + "y" * 300])
def test_a_storage_that_cannot_be(tmp_path: Path, place: str) -> None:
    """shared/failing/40, 52 and 56."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^--storage .*; give another folder$") as told:
        writable(storage_folder(place.format(tmp=tmp_path)))
    assert len(str(told.value)) < 400


def test_a_storage_is_made_and_left_clean(tmp_path: Path) -> None:
    writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
