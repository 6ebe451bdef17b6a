"""The page in a browser that has no network: its figures are the JSON's, it sorts and filters, every chart is drawn."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from kdbench.cli import cli
from kdbench.detectors.teachers import trained_teacher
from kdbench.outcome.report import study_report
from kdbench.specs.recipe import task_recipe
from kdbench.specs.short_recipe import ShortRecipe
from kdbench.specs.task import load_task
from kdbench.tracking.client import make_client
from kdbench.tracking.reader import read_history, read_runs
from kdbench.tracking.store import tracking_uri
from kdbench.tracking.writer import Tracker
from tests.integration.browser import chromium_page, needs_chromium
from tests.integration.planted import ENDS, plant

pytestmark = needs_chromium
FIGURES = """rows => rows.map(row => Object.fromEntries(
    [...row.querySelectorAll("[data-key]")].map(cell => [cell.dataset.key, JSON.parse(cell.dataset.json)])))"""
SHOWN = """column => [...document.querySelectorAll(`#rows tbody tr:not([hidden]) td[data-column=${column}]`)]
    .map(cell => JSON.parse(cell.dataset.sort))"""


def command(*arguments: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "kdbench", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("storage")
    plant(folder)
    return folder


@pytest.fixture(scope="module")
def file(storage: Path) -> Path:
    path = storage / "report.html"
    done = command("leaderboard", "--storage", storage, "--format", "html", "-o", path)
    assert done.stdout == ""
    assert "report.html" in done.stderr
    return path


@pytest.fixture(scope="module")
def rows(storage: Path) -> list[dict[str, Any]]:
    done = CliRunner().invoke(cli, ["leaderboard", "--storage", str(storage), "--format", "json"])
    data: list[dict[str, Any]] = json.loads(done.stdout)
    return data


@pytest.fixture(scope="module")
def browser() -> Iterator[tuple[Any, list[str]]]:
    with chromium_page(offline=True) as (opened, errors):
        opened.on("request", lambda request: errors.append(request.url) if "://" in request.url[:8] else None)
        yield opened, errors


@pytest.fixture
def page(browser: tuple[Any, list[str]], file: Path) -> Iterator[Any]:
    """The page, opened from the disk; at the end nothing has been complained about or asked of a network."""
    opened, errors = browser
    opened.set_viewport_size({"width": 1280, "height": 900})
    opened.emulate_media(media="screen", color_scheme="light")
    opened.goto(file.as_uri())
    opened.wait_for_selector("body[data-ready=yes]")
    yield opened
    found = [error for error in errors if error != file.as_uri()]
    errors.clear()
    assert found == []


def test_its_figures_are_those_of_the_json(page: Any, rows: list[dict[str, Any]]) -> None:
    shown = page.eval_on_selector_all("#rows tbody tr", FIGURES)
    assert shown == [{key: value for key, value in row.items() if value is not None} for row in rows]
    assert len(rows) > 15
    best = page.locator("#rows tbody tr", has_text="better")
    (row,) = [row for row in rows if row["verdict"] == "better"]
    assert best.locator("[data-key=mean]").inner_text() == f"{row['mean']:.3f}"
    assert best.locator("[data-key=delta_ci95]").inner_text() == f"±{row['delta_ci95']:.3f}"
    assert f"{row['mean']:.3f} ± {row['ci95']:.3f}" in page.locator(".headline").inner_text()


def test_a_click_sorts(page: Any, rows: list[dict[str, Any]]) -> None:
    header = page.locator("#rows th[data-column=mean]")
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert page.evaluate(SHOWN, "mean") == sorted(row["mean"] for row in rows)
    header.locator("button").click()
    assert page.evaluate(SHOWN, "mean") == sorted((row["mean"] for row in rows), reverse=True)
    for _ in range(2):  # what is unknown stays last, both ways
        page.locator("#rows th[data-column=p_holm] button").click()
        values = page.evaluate(SHOWN, "p_holm")
        assert values[0] is not None
        assert values[-1] is None
    page.locator("#rows th[data-column=trial] button").click()
    assert page.evaluate(SHOWN, "trial") == sorted(row["trial"] for row in rows)


def test_a_word_filters(page: Any, rows: list[dict[str, Any]]) -> None:
    page.locator("#filter").fill("cwd SINGLE")
    wanted = [row["trial"] for row in rows if row["method"] == "cwd"]
    assert page.evaluate(SHOWN, "trial") == wanted
    assert page.locator("#count").inner_text() == f"{len(wanted)} of {len(rows)} rows"
    page.locator("#filter").fill("no such thing")
    assert page.evaluate(SHOWN, "trial") == []
    page.locator("#filter").fill("")
    assert len(page.evaluate(SHOWN, "trial")) == len(rows)


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn_at_every_width(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(500)
    charts = page.locator(".chart").all()
    names = [chart.get_attribute("id") for chart in charts]
    for wanted in ("curves", "hours", "pareto-device_hours", "response", "parallel", "importance", "ends"):
        assert any(name.startswith(f"chart-{wanted}-shapes") for name in names), wanted
    for chart, name in zip(charts, names, strict=True):
        assert chart.locator("svg .point, svg .scatterlayer path, svg .barlayer path").count() >= 2, name
        box = chart.locator("svg.main-svg").first.bounding_box()
        assert 250 <= box["width"] <= width, name
        assert box["x"] + box["width"] <= width, name
        assert chart.get_attribute("aria-label"), name
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_curves_are_those_of_mlflow(page: Any, storage: Path) -> None:
    drawn = page.evaluate("""Object.fromEntries(document.getElementById("chart-curves-shapes").data
        .map(trace => [trace.name, trace.y.filter(value => value !== null)]))""")
    uri = tracking_uri(storage)
    runs = read_runs(uri, kinds=("trial",), method="cwd")
    assert drawn["cwd"] == [value for run in runs for _, value in read_history(uri, run.run_id, "val/mAP")]
    assert set(drawn) == {"none (baseline)", "defeat", "cwd"}


def test_how_trials_ended_is_told_as_text(page: Any) -> None:
    lines = page.locator("#ends-shapes tbody tr").all_inner_texts()
    for number, (end, reason) in ENDS.items():
        assert any(f"defeat-{number:03d}" in line and end in line and (reason or "") in line for line in lines), end


def test_on_paper_and_in_the_dark(page: Any) -> None:
    colour = 'getComputedStyle(document.querySelector("#chart-curves-shapes .xtitle")).fill'
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{colour} !== '{light}'")
    page.emulate_media(color_scheme="dark", media="print")
    page.wait_for_function(f"{colour} === '{light}'")
    assert not page.locator("#filter").is_visible()
    assert page.evaluate("Math.max(...[...document.querySelectorAll('.chart svg')].map(svg => svg.clientWidth))") <= 680
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_winner_is_ready_to_paste(page: Any, rows: list[dict[str, Any]]) -> None:
    """The text makes the very recipe of the row."""
    text = page.locator("#settings-1").inner_text()
    short = ShortRecipe.parse(yaml.safe_load(text), "winner.yaml")
    assert (short.method, short.seed) == ("defeat", 1)
    (row,) = [row for row in rows if row["verdict"] == "better"]
    assert f"makes recipe {row['recipe']}" in page.locator("#settings").inner_text()
    task = load_task(short.task, short.set)
    recipe = task_recipe(task, short.method, short.params, short.training, trained_teacher(task), short.seed)
    assert recipe.hash == row["recipe"]
    page.locator("[data-copies=command-1]").click()
    page.wait_for_function('document.querySelector("[data-copies=command-1]").textContent !== "Copy"')
    assert page.locator("#command-1").inner_text() == "kdbench train winner.yaml"


def test_the_page_of_a_study_is_an_artifact_of_its_run(storage: Path, tmp_path: Path) -> None:
    tracker = Tracker(tracking_uri(storage), storage)
    tracker.open_study("shapes", "cwd-shapes", tags={}, params={})
    for _ in range(2):
        study_report("cwd-shapes", ["shapes"], tmp_path, storage, None, tracker)
    client = make_client(tracking_uri(storage))
    (run,) = read_runs(tracking_uri(storage), studies=["cwd-shapes"], kinds=["study"])
    (artifact,) = client.list_artifacts(run.run_id)
    assert (artifact.path, artifact.file_size) == ("report.html", (tmp_path / "report.html").stat().st_size)
    text = (tmp_path / "report.html").read_text()
    assert "<h1>cwd on shapes</h1>" in text


def test_a_page_that_cannot_be_written_does_not_end_a_study(
    storage: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = Tracker(tracking_uri(storage), storage)
    study_report("cwd-shapes", ["shapes"], tmp_path / "gone", storage, None, tracker)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("kdbench")]
    assert line.startswith("the page of study cwd-shapes could not be written: ")
    assert "\n" not in line
