"""The published figures: all there, as the sources print them, with their doubts."""

from __future__ import annotations

import configparser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdbench.errors import InputError
from kdbench.specs import metrics, resources
from kdbench.specs.published import find_published, load_published, read_published

ROOT = Path(__file__).parents[3]
OURS = ROOT / "benchmarks" / "published"
GIVEN = ROOT.parent / "shared" / "published"
"""Where the figures were collected; not there in a checkout alone."""
METHODS = sorted(path.stem for path in OURS.glob("*.yaml"))


def numbers(data: Any) -> Iterator[float]:
    """Every number in plain data, keys included, in any depth."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from numbers(key)
            yield from numbers(value)
    elif isinstance(data, list):
        for value in data:
            yield from numbers(value)
    elif isinstance(data, (int, float)) and not isinstance(data, bool):
        yield float(data)


def texts(data: Any) -> Iterator[str]:
    """Every text among the values."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for value in data:
            yield from texts(value)
    elif isinstance(data, str):
        yield data


def rows_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a collected file, in order, whatever its form."""
    rows: list[dict[str, Any]] = list(data.get("rows", []))
    results = data.get("results", [])
    rows += results if isinstance(results, list) else [row for part in results.values() for row in part]
    rows += data.get("voc", {}).get("results", [])
    table = data.get("readme_voc", {"columns": [], "rows": []})
    return rows + [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def known_outside(text: str) -> str:
    """Without the mention of a document that only this project's founders have."""
    return text.replace(" (also the project seed document)", "").replace("seed document, ", "")


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the collected figures are not here")
def test_every_file_was_taken() -> None:
    assert sorted(path.stem for path in GIVEN.glob("*.yaml")) == METHODS


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the collected figures are not here")
@pytest.mark.parametrize("method", METHODS)
def test_every_number_of_every_row_is_there(method: str) -> None:
    given = yaml.safe_load((GIVEN / f"{method}.yaml").read_text(encoding="utf-8"))
    ours = yaml.safe_load((OURS / f"{method}.yaml").read_text(encoding="utf-8"))
    theirs = rows_of(given)
    assert len(theirs) == len(ours["rows"]) > 0
    for mine, row in zip(ours["rows"], theirs, strict=True):
        assert row.get("id", mine["id"]) == mine["id"]
        lacking = Counter(numbers(row)) - Counter(numbers(mine))
        assert not lacking, (mine["id"], lacking)
        assert row.get("caveat") in (None, mine.get("caveat")), mine["id"]
        invented = set(numbers(mine)) - set(numbers(row)) - set(numbers(given.get("defaults_for_rows", {})))
        assert not invented, (mine["id"], invented)


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the collected figures are not here")
@pytest.mark.parametrize("method", METHODS)
def test_what_stands_beside_the_rows_is_there_word_for_word(method: str) -> None:
    given = yaml.safe_load((GIVEN / f"{method}.yaml").read_text(encoding="utf-8"))
    ours = yaml.safe_load((OURS / f"{method}.yaml").read_text(encoding="utf-8"))
    theirs = rows_of(given)
    aside = {key: value for key, value in given.items() if key not in ("rows", "results", "schema", "method")}
    aside.pop("defaults_for_rows", None)
    aside.get("readme_voc", {}).pop("rows", None)
    aside.get("readme_voc", {}).pop("columns", None)
    aside.get("voc", {}).pop("results", None)
    assert not {known_outside(text) for text in texts(aside)} - set(texts(ours))
    assert not Counter(numbers(aside)) - Counter(numbers({k: v for k, v in ours.items() if k != "rows"}))
    for mine, row in zip(ours["rows"], theirs, strict=True):
        sources = row.get("source", "readme")
        assert mine["source"] == ([sources] if isinstance(sources, str) else sources)


def test_some_by_hand() -> None:
    rows = load_published()
    assert len(rows) > 100
    assert (rows["defeat/voc-05"].figure, rows["defeat/voc-05"].metric) == (0.8097, "AP50_11")
    assert rows["defeat/voc-05"].role == "student"
    assert "grad clip 35" in rows["defeat/voc-05"].setting
    assert rows["defeat/voc-02"].figure == 0.8227
    retina = rows["icd/retina-r50"]
    assert (retina.figure, retina.student_figure, retina.teacher_figure) == (0.407, 0.374, 0.404)
    assert (rows["icd/condinst-r50-segm"].metric, rows["icd/condinst-r50-segm"].figure) == ("segm_mAP", 0.391)
    assert rows["lgd/retina-r50-2x-ms"].figure == 0.404
    assert rows["lgd/abs-retina-r50-2x"].student_figure == 0.362
    crowd = rows["lgd/abs-frcnn-r50-crowdhuman"]
    assert (crowd.metric, crowd.figure, crowd.student_figure) == ("mMR", None, None)
    mask = rows["fgd/mask-r50"]
    assert (mask.figure, mask.figures["segm_mAP"], mask.student_figures["segm_mAP"]) == (0.421, 0.378, 0.354)
    assert rows["ld/r50-full"].figures["mAP_75"] == 0.456


def test_what_is_doubtful_says_so() -> None:
    rows = load_published()
    doubtful = rows["defeat/voc-11"]
    assert doubtful.confidence == "doubtful"
    assert (doubtful.note or "").startswith("doubtful: voc-10 and voc-11 carry the same label")
    assert rows["fgfi/voc-frcnn-w2b"].confidence == "doubtful"
    assert rows["icd/secondary-retina-mbv2"].note == "secondary source: third-party paper summary"
    assert (rows["ld/im-defeat"].note or "").startswith("re-implementation: README of HikariTJU/LD")
    assert rows["defeat/voc-05"].note is None
    for row in rows.values():
        assert (row.note is not None) or row.confidence == "primary", row.key


def test_figures_of_boxes_bear_the_names_that_kdbench_measures() -> None:
    foreign = {row.metric for row in load_published().values()} - set(metrics.NAMES)
    assert foreign == {"AP_easy", "KITTI_mAP", "mIoU", "nuScenes_mAP"}


def test_a_key_finds_its_row_and_another_none() -> None:
    assert find_published("defeat/voc-05") == load_published()["defeat/voc-05"]
    for key in ("defeat/voc-99", "nobody/voc-05", "defeat", ""):
        assert find_published(key) is None


def test_the_student_and_the_teacher_of_a_row() -> None:
    """icd/retina-r50: 37.4 without distillation, the teacher 40.4."""
    student, teacher = find_published("icd/retina-r50:student"), find_published("icd/retina-r50:teacher")
    assert student is not None
    assert teacher is not None
    assert (student.key, student.role, student.figure) == ("icd/retina-r50:student", "student", 0.374)
    assert (teacher.key, teacher.role, teacher.figure) == ("icd/retina-r50:teacher", "teacher", 0.404)
    assert student.student_figures == {}
    # frcnn-r50's teacher has no figure, voc-05 is itself a student, and there is no fourth part.
    for key in ("icd/frcnn-r50:teacher", "defeat/voc-05:student", "icd/retina-r50:method", "icd/nothing:student"):
        assert find_published(key) is None


GOOD: dict[str, Any] = {
    "version": 1,
    "method": "new",
    "title": "A paper",
    "sources": {"paper": "Table 1"},
    "rows": [
        {
            "id": "a",
            "role": "distilled",
            "dataset": "COCO",
            "metric": "mAP",
            "figures": {"mAP": 40.0},
            "source": ["paper"],
            "confidence": "primary",
        }
    ],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"confidence": "certain"}, "confidence"),
        ({"figures": {"mAP": 140.0}}, "less than or equal to 100"),
        ({"figures": {"mAP_50": 40.0}}, "no figure of its metric mAP"),
        ({"source": ["papr"]}, "source papr is not among"),
        ({"figure": 40.0}, "unknown key 'rows.0.figure'"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "new.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    assert read_published(path)[0].figure == 0.4
    path.write_text(yaml.safe_dump({**GOOD, "rows": [{**GOOD["rows"][0], **change}]}))
    with pytest.raises(InputError, match=words) as error:
        read_published(path)
    assert "\n" not in str(error.value)


def test_a_twin_row_and_a_wrong_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    path.write_text(yaml.safe_dump({**GOOD, "rows": GOOD["rows"] * 2}))
    with pytest.raises(InputError, match="row a is there twice"):
        read_published(path)
    path.write_text(yaml.safe_dump({**GOOD, "method": "other"}))
    with pytest.raises(InputError, match=r"other\.yaml"):
        read_published(path)


def test_the_files_are_installed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "published/*.yaml" in setup["options.package_data"]["kdbench._data.benchmarks"].split()
    assert resources.names("benchmarks/published") == METHODS
