"""Published figures beside measured ones: the difference, the interval, the doubts, and where there is nothing to say."""

from __future__ import annotations

import csv
import io
import json

import pytest

from kdbench.leaderboard.render import render
from kdbench.leaderboard.row import Row
from kdbench.leaderboard.rows import build_rows
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun


def measured(run: MakeRun, method: str, config: str, figures: list[float], key: str | None, metric: str) -> list[Run]:
    return [
        run(method, config, seed, params={"metric": metric}, metrics={f"best/{metric}": figure}, published=key)
        for seed, figure in enumerate(figures)
    ]


def only(runs: list[Run]) -> Row:
    (row,) = build_rows(runs)
    return row


def test_inside_the_interval(run: MakeRun) -> None:
    # voc-05 is 0.8097. Mean 0.8080, std 0.002, half-width 4.302653 * 0.002 / sqrt(3) = 0.004968.
    row = only(measured(run, "none", "n", [0.806, 0.808, 0.810], "defeat/voc-05", "AP50_11"))
    assert (row.published, row.published_id, row.published_note) == (0.8097, "defeat/voc-05", None)
    assert row.published_delta == pytest.approx(0.8080 - 0.8097)
    assert row.ci95 == pytest.approx(0.004968, abs=1e-6)
    assert row.published_inside is True


def test_outside_it_and_with_one_seed(run: MakeRun) -> None:
    row = only(measured(run, "none", "n", [0.796, 0.798, 0.800], "defeat/voc-05", "AP50_11"))
    assert (row.published_delta, row.published_inside) == (pytest.approx(-0.0117), False)
    row = only(measured(run, "none", "n", [0.8097], "defeat/voc-05", "AP50_11"))
    assert (row.published_delta, row.published_inside) == (0.0, None)


def test_without_a_tag_there_is_nothing(run: MakeRun) -> None:
    row = only(measured(run, "none", "n", [0.8, 0.9], None, "AP50_11"))
    names = ("published", "published_id", "published_delta", "published_inside", "published_note")
    assert [getattr(row, name) for name in names] == [None] * 5
    assert "published" not in render([row])
    assert "published" not in render([row], "markdown")


def test_plain_training_stands_beside_the_undistilled_student(run: MakeRun) -> None:
    """icd/retina-r50: 37.4 without, 40.7 with distillation."""
    row = only(measured(run, "none", "n", [0.370], "icd/retina-r50", "mAP"))
    assert (row.published, row.published_delta) == (0.374, pytest.approx(-0.004))
    row = only(measured(run, "none", "n", [0.370], "icd/retina-r50:student", "mAP"))
    assert (row.published, row.published_id) == (0.374, "icd/retina-r50:student")
    assert "source of icd/retina-r50:student (primary): paper abstract" in " ".join(render([row]).split())
    (row, _) = build_rows(
        [run("none", "n", best=0.37), *measured(run, "icd", "i", [0.41], "icd/retina-r50", "mAP")],
    )
    assert (row.method, row.published) == ("icd", 0.407)


def test_another_of_the_source_s_metrics(run: MakeRun) -> None:
    """fgd/mask-r50 is 42.1 of boxes and 37.8 of masks."""
    row = only(measured(run, "fgd", "f", [0.380], "fgd/mask-r50", "segm_mAP"))
    assert (row.published, row.published_delta) == (0.378, pytest.approx(0.002))


@pytest.mark.parametrize(
    ("key", "metric", "words"),
    [
        ("defeat/voc-05", "mAP", "the source gives no mAP, its figure is AP50_11"),
        ("lgd/abs-frcnn-r50-crowdhuman", "mMR", "the source gives no mMR"),
        ("defeat/voc-99", "mAP", "no published row defeat/voc-99"),
    ],
)
def test_no_figure_and_why(run: MakeRun, key: str, metric: str, words: str) -> None:
    row = only(measured(run, "defeat", "a", [0.4, 0.5], key, metric))
    assert (row.published, row.published_delta, row.published_inside, row.published_id) == (None, None, None, key)
    assert words in (row.published_note or "")
    assert words in " ".join(render([row]).split())


@pytest.fixture
def rows(run: MakeRun) -> list[Row]:
    params = {"metric": "AP50_11"}
    plain = measured(run, "none", "n", [0.806, 0.808, 0.810], "defeat/voc-05", "AP50_11")
    doubtful = measured(run, "fgfi", "w2", [0.812, 0.813, 0.815], "defeat/voc-11", "AP50_11")
    secondary = measured(run, "none", "m", [0.80], "defeat/issue2-frcnn-r50-student", "AP50_11")
    return build_rows([*plain, *doubtful, *secondary, run("defeat", "x", params=params, metrics={"best/AP50_11": 0.7})])


def test_the_table_shows_the_column_and_names_sources_and_doubts(rows: list[Row]) -> None:
    text = render(rows)
    assert max(len(line) for line in text.splitlines()) <= 100
    for shown in ("0.810 -0.002 in", "0.820 -0.007 out", "0.805 -0.005"):
        assert shown in text, shown
    flat = " ".join(text.split())
    assert "source of defeat/voc-05 (primary): README of ggjy/DeFeat.pytorch" in flat
    assert "source of defeat/voc-11 (doubtful): README of ggjy/DeFeat.pytorch" in flat
    assert "source of defeat/issue2-frcnn-r50-student (secondary): Issue 2 of ggjy/DeFeat.pytorch" in flat
    assert "defeat/voc-11: voc-10 and voc-11 carry the same label and settings but different AP" in flat
    assert "single" in text  # the row without a published figure keeps its own


def test_a_table_with_long_names_stays_narrow(run: MakeRun) -> None:
    runs = []
    for i in range(2):
        tagged = measured(run, "fgfi", "w2", [0.812, 0.813, 0.815], "defeat/voc-11", "AP50_11")
        more = {"study": f"a-study-with-a-long-name-{i}", "trial": f"fgfi-00{i}-seed0", "recipe": "0123456789ab"}
        runs += [Run(**{**vars(one), **more}) for one in tagged]
    text = render(build_rows(runs))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "0.820 -0.007 out" in text
    assert "left out for width: hours, recipe" in text


def test_markdown_csv_and_json(rows: list[Row]) -> None:
    lines = [line for line in render(rows, "markdown").splitlines() if line.startswith("|")]
    assert "| published |" in lines[0]
    assert len({line.count("|") for line in lines}) == 1
    data = json.loads(render(rows, "json"))
    table = list(csv.DictReader(io.StringIO(render(rows, "csv"))))
    for one, line, row in zip(data, table, rows, strict=True):
        assert one["published"] == row.published
        assert one["published_inside"] is row.published_inside
        assert line["published_inside"] == ("" if row.published_inside is None else str(row.published_inside))
        assert line["p_holm"] == ("" if row.p_holm is None else repr(row.p_holm))
