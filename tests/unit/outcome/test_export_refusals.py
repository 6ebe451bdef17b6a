"""What `kdbench export` refuses: in one line, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import InputError, RunError
from kdbench.outcome import export as exporting
from kdbench.outcome.export import Options, export
from tests.unit.search.test_finding import write_study


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("study", "options", "words"),
    [
        ("nowhere", Options(), "no study 'nowhere'"),
        ("on", Options(), "did you mean 'one'"),
        ("one", Options(trial="none-009"), "did you mean 'one/none-000'"),
        ("one", Options(), "nothing is recorded"),
        ("train", Options(), "--trial HASH"),
        ("one", Options(trial="none-000", tracking_uri="nonsense://x"), "nonsense"),
        ("one", Options(trial="none-000", register="a/b"), "--register 'a/b'"),
        ("one", Options(trial="none-000", register="ab"), "--register ab: nothing is recorded"),
    ],
)
def test_one_line_and_nothing_written(study: str, options: Options, words: str, tmp_path: Path) -> None:
    storage = tmp_path / "runs"
    write_study(storage, "one", {"none-000": 0})
    before = listing(tmp_path)
    options = Options(options.trial, options.register, str(storage), options.tracking_uri)
    with pytest.raises(InputError, match=words) as error:
        export(study, tmp_path / "out", options, print)
    assert "\n" not in str(error.value)
    assert listing(tmp_path) == before


def test_a_folder_with_files_and_a_file_are_left_alone(tmp_path: Path) -> None:
    write_study(tmp_path / "runs", "one", {"none-000": 0})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "full")
    before = listing(tmp_path)
    for name, words in (("full", "has files in it"), ("file", "is no folder"), ("link", "is no folder")):
        with pytest.raises(InputError, match=words):
            export("one", tmp_path / name, Options(trial="none-000", storage=str(tmp_path / "runs")), print)
    assert listing(tmp_path) == before


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    write_study(tmp_path / "runs", "one", {"none-000": 0})
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be made"):
        export("one", tmp_path / "file" / "out", Options(trial="none-000", storage=str(tmp_path / "runs")), print)


def test_the_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(RunError), exporting._beside(target) as folder:
        (folder / "config.py").write_text("half")
        raise RunError("another figure")
    assert listing(tmp_path) == []
    target.mkdir()  # an empty one is taken
    with exporting._beside(target) as folder:
        (folder / "config.py").write_text("whole")
        assert listing(target) == []
    assert listing(tmp_path) == ["out", "out/config.py"]
    assert target.stat().st_mode & 0o777 == 0o755
