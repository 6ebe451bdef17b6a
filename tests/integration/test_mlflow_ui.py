"""MLflow's own UI on kdbench's runs, in headless Chromium: experiments, a study with its trials, a chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kdbench.tracking import store, ui
from kdbench.tracking.reader import read_runs
from kdbench.tracking.server import Server
from kdbench.tracking.writer import Tracker
from tests.integration.browser import chromium_page, needs_chromium, screenshot
from tests.integration.planted import plant

LONG = 60_000
"""Milliseconds that a page may take on a busy machine."""

DRAWN = """() => [...document.querySelectorAll(".js-plotly-plot")].some(plot =>
    plot.data.some(trace => trace.metricKey === "val/mAP" && trace.x.length === 3) && plot.querySelectorAll(".point").length >= 3)"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("ui")
    plant(storage)
    tracker = Tracker(store.tracking_uri(storage), storage)
    tracker.open_study("shapes", "defeat-shapes", tags={}, params={"trials": 11})
    figures = {"best/mAP": 0.36, "baseline/mAP": 0.25, "delta": 0.11, "seeds": 3.0, "cost/device_hours": 0.4}
    note = "**defeat on shapes** beats its baseline here"
    tags = {"kdbench.verdict": "better", "mlflow.note.content": note}
    tracker.close_study("shapes", "defeat-shapes", summary=figures, status="FINISHED", tags=tags)
    assert tracker.problem is None
    return storage


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    port = ui.choose_port("127.0.0.1", None)
    command, environment = ui.ui_command(store.tracking_uri(home), home, port=port)
    with Server(command, environment, f"http://127.0.0.1:{port}", home) as running:
        running.wait_until_it_answers()
        yield f"http://127.0.0.1:{port}"


@needs_chromium
def test_from_the_list_of_experiments_to_a_chart(home: Path, server: str, tmp_path: Path) -> None:
    uri = store.tracking_uri(home)
    (line,) = ui.task_links(uri, server)
    assert line.startswith("task shapes: ")
    runs = {run.trial or run.study: run for run in read_runs(uri) if run.kind != "teacher"}
    with chromium_page(width=1500) as (page, _):
        page.set_default_timeout(LONG)
        page.goto(f"{server}/#/experiments")
        page.get_by_role("link", name="shapes", exact=True).wait_for()

        page.goto(line.removeprefix("task shapes: "))
        parent = page.get_by_role("link", name="defeat-shapes", exact=True)
        parent.wait_for()
        assert page.get_by_role("link", name="defeat-000", exact=True).count() == 0  # under its study
        page.locator("[role=gridcell]", has=parent).locator("button").first.click()
        page.get_by_role("link", name="defeat-000", exact=True).wait_for()
        screenshot(page, tmp_path / "runs.png")

        parent.first.click()
        for words in ("beats its baseline here", "delta", "0.11", "kdbench.verdict"):
            page.get_by_text(words).first.wait_for()
        screenshot(page, tmp_path / "study.png")

        where = f"{server}/#/experiments/1/runs/{runs['defeat-000'].run_id}/model-metrics?workflowType=machine_learning"
        page.goto(where)
        page.get_by_text("val", exact=True).first.scroll_into_view_if_needed()
        page.wait_for_function(DRAWN)
        screenshot(page, tmp_path / "chart.png")
