"""`kdbench schema`, `completion` and `task`: what they print, and that they refuse in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdbench.cli import COMMANDS, main
from tests import exports


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


@pytest.mark.parametrize("kind", ["task", "space", "suite", "recipe"])
def test_schema_prints_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["schema", kind], capsys)
    assert code == 0
    assert json.loads(out)["title"] == f"kdbench {kind}"


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete "), ("zsh", "#compdef kdbench"), ("fish", "complete ")]
)
def test_completion_prints_a_script(shell: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["completion", shell], capsys)
    assert code == 0
    assert words in out
    assert "_KDBENCH_COMPLETE" in out


def test_the_script_completes_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("_KDBENCH_COMPLETE", "bash_complete"), ("COMP_WORDS", "kdbench "), ("COMP_CWORD", "1")):
        monkeypatch.setenv(name, value)
    _, out, _ = run([], capsys)
    assert {line.partition(",")[2] for line in out.split()} == set(COMMANDS)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("kdbench task pho", ["file,pho"]),
        ("kdbench search fgf", ["plain,fgfi"]),
        ("kdbench search fgd --task bccd_", ["plain,bccd_gfl"]),
        ("kdbench search fgd --task mine.y", ["file,mine.y"]),
        ("kdbench search fgd --storage ho", ["dir,ho"]),
        ("kdbench bench methods_sh", ["plain,methods_shapes"]),
        ("kdbench train rec", ["file,rec"]),
    ],
)
def test_names_files_and_folders_are_completed(
    typed: str, completed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = len(typed.split()) - 1
    for name, value in (("_KDBENCH_COMPLETE", "bash_complete"), ("COMP_WORDS", typed), ("COMP_CWORD", str(place))):
        monkeypatch.setenv(name, value)
    _, out, _ = run([], capsys)
    assert out.split() == completed


def test_task_prints_the_file_and_tells_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = exports.roboflow(tmp_path / "toys")
    code, out, err = run(["task", str(root), "--storage", str(tmp_path / "home"), "--student", "small"], capsys)
    assert code == 0
    assert f"data_root: {root}" in out
    assert "images: 14 (train 8, search 3, report 3)" in err


def test_task_says_that_a_config_runs(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(["task", "--help"], capsys)
    assert "is Python that RUNS" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere"),
        (["retinanet/retinanet_r50_fpn_1x_coco", "--student", "small"], "--student is for a folder"),
        ([".", "--data-root", "x"], "--data-root is for a config"),
    ],
)
def test_task_refuses_in_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(["task", *arguments, "--storage", str(tmp_path)], capsys)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
