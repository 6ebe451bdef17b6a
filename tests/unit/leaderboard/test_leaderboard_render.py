"""The formats: all keys for programs, 100 columns for people."""

from __future__ import annotations

import csv
import io
import json

import pytest

from kdbench.errors import InputError
from kdbench.leaderboard.render import render
from kdbench.leaderboard.row import KEYS, Row
from kdbench.leaderboard.rows import build_rows
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun


@pytest.fixture
def rows(run: MakeRun, teacher: Run) -> list[Row]:
    runs = [run("none", "n", best=0.3, hours=0.0123), run("defeat", "b", best=0.25, hours=0.5), teacher]
    for method, config, figures in [("none", "n", [0.20, 0.21, 0.22]), ("defeat", "a", [0.301, 0.322, 0.318])]:
        runs += [run(method, config, s, best=0.3, report=f, recipe="0123456789ab") for s, f in enumerate(figures)]
    return build_rows(runs)


def test_json_has_every_key(rows: list[Row]) -> None:
    data = json.loads(render(rows, "json"))
    assert [tuple(row) for row in data] == [KEYS] * 3
    assert data[0]["published"] is None


def test_csv_has_every_key(rows: list[Row]) -> None:
    data = list(csv.DictReader(io.StringIO(render(rows, "csv"))))
    assert tuple(data[0]) == KEYS
    assert (data[0]["method"], data[0]["std"] != "", data[0]["published"]) == ("defeat", True, "")
    assert float(data[0]["mean"]) == rows[0].mean


def test_the_table(rows: list[Row]) -> None:
    text = render(rows)
    assert max(len(line) for line in text.splitlines()) <= 100
    for shown in ("task shapes", "none *", "baseline", "better", "0.314 ±0.028", "0123456789ab", "single"):
        assert shown in text, shown
    assert "teacher: mAP 0.600 on report" in text
    assert "baseline (*): mAP 0.210 on report" in text
    assert "not comparable" in text


def test_a_table_of_several_studies_stays_narrow(run: MakeRun) -> None:
    long = [
        run("defeat", f"{i}", best=0.3, study=f"a-study-with-a-really-long-name-{i}", hours=12345.6) for i in range(3)
    ]
    text = render(build_rows(long))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "defeat-000" in text


def test_figures_of_images_that_an_earlier_split_has_are_marked(run: MakeRun) -> None:
    """shared/failing/14: train, search and report were one file, and the report split was said to be unseen."""
    shared = {"data/shared_report": 8.0, "data/shared_search": 5.0}
    runs = [run("none", "n", s, best=0.3, report=0.2, metrics=shared if s else {}) for s in range(3)]
    rows = build_rows([*runs, run("pkd", "p", best=0.3, report=0.2, study="other")])
    assert {(row.method, row.split): row.shared for row in rows} == {("none", "report"): 8, ("pkd", "report"): None}
    text = render(rows)
    assert "report !" in text
    assert "! 8 images of the report split are in an earlier split too: not of unseen images" in text
    assert "5 images" not in text


def test_markdown(rows: list[Row]) -> None:
    lines = render(rows, "markdown").splitlines()
    assert lines[0] == "### shapes"
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 5
    assert len({line.count("|") for line in table}) == 1
    assert any(line.startswith("* teacher") for line in lines)


def test_nothing_yet() -> None:
    assert render([]) == render([], "markdown") == "no completed trials yet"
    assert json.loads(render([], "json")) == []
    assert render([], "csv") == ",".join(KEYS)


def test_an_unknown_format() -> None:
    with pytest.raises(InputError, match="did you mean 'markdown'"):
        render([], "markdwn")
