"""A real MLflow server on this machine: written to and read through HTTP; and `kdbench ui`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdbench.tracking import store, ui
from kdbench.tracking.reader import read_history, read_runs
from kdbench.tracking.server import Server
from kdbench.tracking.writer import Tracker


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tracking server with its own database, that keeps its clients' artifacts itself."""
    folder = tmp_path_factory.mktemp("server")
    uri = store.tracking_uri(folder)
    store.prepare(uri, folder)
    port = ui.choose_port("127.0.0.1", None)
    command, environment = ui.ui_command(uri, folder, port=port)
    start = command.index("--default-artifact-root")
    command[start : start + 3] = ["--serve-artifacts", "--artifacts-destination", str(folder / "kept")]
    with Server(command, environment, f"http://127.0.0.1:{port}", folder) as running:
        running.wait_until_it_answers()
        yield f"http://127.0.0.1:{port}"


def write(uri: str, storage: Path, epochs: range) -> Tracker:
    tracker = Tracker(uri, storage)
    tracker.open_study("shapes", "first", tags={"kdbench.method": "defeat"}, params={"trials": 1})
    key = tracker.open_trial(
        "shapes",
        "first",
        "defeat-000",
        method="defeat",
        recipe={"metric": "mAP", "values": {f"v{i}": i for i in range(150)}, "long": "x" * 7000},
        recipe_hash="a",
        config_hash="c",
        seed=0,
        teacher=None,
        stage="search",
        tags={},
    )
    for epoch in epochs:
        tracker.log_epoch(key, epoch, {"val/mAP": epoch / 10, "loss@x[0]": 1.0})
    if epochs.stop > 3:
        tracker.close(key, "completed", summary={"best/mAP": 0.3}, reason=None, artifacts=[Path(__file__)])
        tracker.close_study("shapes", "first", summary={"delta": 0.1}, status="FINISHED")
    assert tracker.problem is None
    return tracker


def test_through_http(server: str, tmp_path: Path) -> None:
    write(server, tmp_path, range(1, 3))
    tracker = write(server, tmp_path, range(1, 4))
    study, trial = sorted(read_runs(server, studies=["first"]), key=lambda run: run.kind)
    assert (trial.end, trial.status, study.status) == ("completed", "FINISHED", "FINISHED")
    assert len(trial.params) == 152
    assert trial.metrics["best/mAP"] == 0.3
    assert read_history(server, trial.run_id, "val/mAP") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    client = tracker._mirror._client
    assert client.get_run(trial.run_id).data.tags["mlflow.parentRunId"] == study.run_id
    assert {file.path for file in client.list_artifacts(trial.run_id)} == {"recipe.json", Path(__file__).name}
    assert not (tmp_path / "mlartifacts").exists()  # the server keeps them


def test_the_ui_comes_up_shows_the_runs_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    storage = tmp_path / "runs"
    write(store.tracking_uri(storage), storage, range(1, 4))
    (trial,) = read_runs(store.tracking_uri(storage), kinds=["trial"])
    # A shell starts background jobs with SIGINT ignored; a user's terminal does not.
    code = (
        "import signal, pathlib; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from kdbench.tracking.ui import serve_ui; serve_ui(None, pathlib.Path({str(storage)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"MLflow UI: (http://127\.0\.0\.1:\d+)\n", line)
        assert found, line
        assert "<html" in ask(found[1] + "/")
        experiments = json.loads(ask(found[1] + "/api/2.0/mlflow/experiments/search?max_results=10"))
        assert "shapes" in [entry["name"] for entry in experiments["experiments"]]
        recipe = ask(f"{found[1]}/get-artifact?path=recipe.json&run_uuid={trial.run_id}")
        assert json.loads(recipe)["metric"] == "mAP"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
        with pytest.raises(OSError):
            ask(found[1] + "/health")
    finally:
        if process.poll() is None:
            process.terminate()  # which ends the server too
            process.wait(30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def ask(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as answer:
        return str(answer.read().decode())


def test_reading_many_runs_over_http_is_paged_and_quick_enough(server: str, tmp_path: Path) -> None:
    tracker = Tracker(server, tmp_path)
    for i in range(30):
        tracker.open_teacher("many", f"t{i:02d}", recipe={"seed": i}, recipe_hash=f"t{i:02d}", seed=i)
    began = time.monotonic()
    assert len(read_runs(server, task="many", kinds=["teacher"])) == 30
    assert time.monotonic() - began < 5
