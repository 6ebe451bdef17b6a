"""The page as a document: nothing from outside, nothing that its data could break, every figure where a program finds it."""

from __future__ import annotations

import base64
import html
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdbench.errors import InputError
from kdbench.leaderboard.page import write
from kdbench.leaderboard.page.data import make_board
from kdbench.leaderboard.page.document import render
from kdbench.leaderboard.page.grid import grid
from kdbench.leaderboard.page.winner import Settings, headline, winner
from kdbench.leaderboard.rows import build_rows
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def runs(run: MakeRun, teacher: Run) -> list[Run]:
    found = [teacher]
    for method, config, figures in [("none", "n", [0.20, 0.21, 0.22]), ("defeat", "a", [0.301, 0.322, 0.318])]:
        found += [run(method, config, seed, best=0.4, report=figure, hours=1.5) for seed, figure in enumerate(figures)]
    return found


def own_part(text: str) -> str:
    """The page without plotly's code."""
    from plotly.offline import get_plotlyjs

    return text.replace(get_plotlyjs(), "")


def test_plotly_is_there_once_and_nothing_is_fetched(runs: list[Run]) -> None:
    from plotly.offline import get_plotlyjs

    text = render(make_board(runs), now=NOW)
    assert text.count(get_plotlyjs()) == 1
    assert "://" not in own_part(text)
    assert re.findall(r'(?:src|href)="(?!data:|#)', own_part(text)) == []
    assert '<meta name="viewport"' in text


def test_every_figure_of_every_row_is_in_an_attribute(runs: list[Run]) -> None:
    text = own_part(render(make_board(runs), now=NOW))
    lines = re.findall(r"<tr data-row=.*?</tr>", text, re.DOTALL)
    found = [
        {
            key: json.loads(html.unescape(value))
            for key, value in re.findall(r'data-key="(\w+)" data-json="(.*?)"', line)
        }
        for line in lines
    ]
    rows = [row.plain() for row in build_rows(runs)]
    assert found == [{key: value for key, value in row.items() if value is not None} for row in rows]


def test_columns_that_are_empty_for_all_rows_are_left_out(runs: list[Run]) -> None:
    names = [name for name, _ in grid(build_rows(runs)).columns]
    assert names[:5] == ["rank", "method", "trial", "mean", "verdict"]
    assert {"published", "sec_per_iter", "params_m"}.isdisjoint(names)
    assert "device_hours" in names


def test_figures_of_images_that_were_seen_are_marked(run: MakeRun) -> None:
    """shared/failing/14: train, search and report were one file; the terminal's table had the mark, the page had none."""
    seen = {"data/shared_report": 8.0}
    made = [run("none", "n", s, report=0.2, metrics=seen) for s in range(2)]
    made += [run("pkd", "p", s, report=0.3) for s in range(2)]
    text = own_part(render(make_board(made), now=NOW))
    cells = re.findall(r'<td data-column="split".*?</td>', text, re.DOTALL)
    assert [re.findall(r">([^<]+)</span>", cell) for cell in cells] == [["report"], ["report", "!"]]
    note = "! 8 images of the report split are in an earlier split too: not of unseen images"
    assert f"<li>{note}</li>" in text
    other = [run("none", "n", report=0.2, task="cells", metrics={"data/shared_report": 1.0})]
    text = own_part(render(make_board([*made, *other]), now=NOW))
    assert f"<li>shapes: {note}</li>" in text
    assert "<li>cells: ! 1 image of the report split is in an earlier split too: not of unseen images</li>" in text


def test_what_the_page_says_first(runs: list[Run]) -> None:
    text = own_part(render(make_board(runs), now=NOW))
    assert "<h1>defeat on shapes</h1>" in text
    assert "6 trials of 1 study: first." in text
    assert "Page written 2026-01-02 03:04 UTC." in text
    (view,) = make_board(runs).views()
    assert headline(view).startswith("defeat is best: mAP 0.314 ± 0.028 on the report split (3 seeds), 0.104 ±")


def test_a_baseline_that_wins_is_said_to(run: MakeRun) -> None:
    (view,) = make_board([run("none", "n", best=0.3), run("defeat", "d", best=0.2)]).views()
    assert headline(view) == "Plain training is best: mAP 0.300 on the search split (1 seed). No method beat it."


def test_the_winner_is_one_of_the_report_split(run: MakeRun) -> None:
    rows = build_rows([run("defeat", "lucky", best=0.9), run("cwd", "c", best=0.2, report=0.2)])
    best = winner(rows)
    assert best is not None
    assert best.method == "cwd"
    assert winner([]) is None


def test_data_cannot_break_out(run: MakeRun) -> None:
    bad = "</script><script>alert(1)</script>"
    made = [
        run("none", "a", best=0.3, trial=bad, study=bad, metrics={"cost/device_hours": 1.0}),
        run("none", "b", end="failed", reason=bad, study=bad),
    ]
    settings = [Settings("shapes", "mAP", bad, f"task: {bad}\n", f"kdbench train {bad}", bad)]
    text = own_part(render(make_board(made), settings=settings, pictures=[(bad, b"png")], now=NOW))
    assert "<script>alert" not in text
    assert text.count("</script>") == 3
    figures = re.search(r'id="figures">(.*?)</script>', text, re.DOTALL)
    assert figures is not None
    assert "alert(1)" in json.dumps(json.loads(figures[1]))


def test_pictures_are_inside(runs: list[Run]) -> None:
    text = own_part(render(make_board(runs), pictures=[("ground truth & student", b"\x89PNG")], now=NOW))
    assert f'src="data:image/png;base64,{base64.b64encode(bytes([137]) + b"PNG").decode()}"' in text
    assert 'alt="ground truth &amp; student"' in text
    assert 'id="pictures"' not in render(make_board(runs), now=NOW)


def test_a_study_that_has_only_begun(run: MakeRun) -> None:
    text = own_part(render(make_board([run("defeat", "d", end=None, status="RUNNING")]), now=NOW))
    for line in (
        "No trial is completed yet, so there are no rows.",
        "no trial has reported an epoch yet.",
        "no completed trial has a cost yet.",
        "fewer than two rows tell their device-hours",
        "defeat, study first: no parameter was varied (0 completed trials).",
        "not computed for this page.",
        "No settings to paste: no trial is completed yet.",
    ):
        assert line in text, line


def test_two_tasks_have_their_own_charts(run: MakeRun) -> None:
    made = [run("none", "a", best=0.3, hours=1.0), run("none", "b", best=0.5, hours=1.0, task="bccd")]
    text = own_part(render(make_board(made), now=NOW))
    assert '<h2 class="task">bccd</h2>' in text
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {"chart-hours-bccd", "chart-hours-shapes"} <= set(ids)


def test_the_file_is_whole_or_not_there(runs: list[Run], tmp_path: Path) -> None:
    write(tmp_path / "report.html", make_board(runs), now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(InputError, match="cannot be written") as caught:
        write(tmp_path / "none" / "report.html", make_board(runs), now=NOW)
    assert "\n" not in str(caught.value)


def test_with_several_tasks_each_row_says_its_own_first(runs: list[Run]) -> None:
    rows = build_rows(runs)
    assert [name for name, _ in grid(rows).columns].index("task") > 5
    both = grid([*rows, rows[0].model_copy(update={"task": "other"})])
    assert [name for name, _ in both.columns][:3] == ["task", "rank", "method"]
    assert "task" not in both.left_out
