"""Running kdbench as a user does, in processes of its own, and reading back what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from kdbench.specs import resources

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def write_tiny(path: Path, base: str) -> Path:
    data = yaml.safe_load((resources.folder("benchmarks/tasks") / f"{base}.yaml").read_text())
    data["name"] = path.stem
    data["dataset"].update(name=path.stem, image_size=[64, 64])
    for split, size in (("train", 24), ("search", 8), ("report", 8)):
        data["dataset"][split] = {"size": size}
    data["pipeline"]["image_scale"] = [64, 64]
    data["schedule"].update(epochs=3)
    data["teacher_schedule"] = {"epochs": 2}
    data["baseline"] = {"search": ["lr"], "trials": 2}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


class Run:
    """`kdbench ...` running as a process."""

    def __init__(self, arguments: list[str], log: Path, **environment: str) -> None:
        self.log = log
        with open(log, "w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kdbench", *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **ENVIRONMENT, **environment},
                start_new_session=True,
            )

    def wait(self, seconds: float = 400) -> int:
        return self.process.wait(seconds)

    def kill_everything(self) -> None:
        """SIGKILL to the driver and to every process it started."""
        family = [*psutil.Process(self.process.pid).children(recursive=True), psutil.Process(self.process.pid)]
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(family, timeout=20)

    def text(self) -> str:
        return self.log.read_text()


def events(storage: Path, study: str) -> list[dict[str, Any]]:
    """What a study's ledger has so far, whole lines only."""
    path = storage / "studies" / study / "ledger.jsonl"
    text = path.read_text() if path.is_file() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def wait_for(condition: Callable[[], bool], what: str, run: Run, seconds: float = 300) -> None:
    """Wait until something is so, while the run lives."""
    end = time.monotonic() + seconds
    while not condition():
        if run.process.poll() is not None:
            pytest.fail(f"the command ended ({run.process.returncode}) before {what}:\n{run.text()}")
        if time.monotonic() > end:
            pytest.fail(f"no {what} after {seconds} s:\n{run.text()}")
        time.sleep(0.05)


def reports(storage: Path, study: str) -> int:
    return sum(1 for event in events(storage, study) if event["event"] == "report")


def result(storage: Path, study: str) -> dict[str, Any]:
    """The end of a study as its ledger has it: trial -> recipe, end, and value by epoch. Each must be there once."""
    table: dict[str, Any] = {}
    for event in events(storage, study):
        name = event.get("trial", "")  # none: of the study itself
        if event["event"] == "trial":
            assert name not in table, f"{name} was started twice"
            table[name] = {"recipe": event["recipe"], "end": None, "values": {}}
        elif event["event"] == "report":
            assert event["epoch"] not in table[name]["values"], f"{name} told epoch {event['epoch']} twice"
            table[name]["values"][event["epoch"]] = event["value"]
        elif event["event"] == "end":
            table[name]["end"] = event["end"]
        elif event["event"] == "retry":
            table[name]["end"] = None
    return table


def decisions(storage: Path, study: str) -> list[dict[str, Any]]:
    """Rounds, dropped arms, pauses and promotions, in their order."""
    found = []
    for event in events(storage, study):
        if event["event"] in ("round", "drop", "promote") or event.get("pause"):
            found.append({key: value for key, value in event.items() if key not in ("time", "metrics")})
    return found


def check_mlflow(storage: Path, study: str, uri: str | None = None) -> None:
    """MLflow has each trial once, ended, with every step once, under one parent."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri or f"sqlite:///{storage / 'mlflow.db'}")
    experiments = [e.experiment_id for e in client.search_experiments()]
    mine = client.search_runs(experiments, f"tags.`kdbench.study` = '{study}'", max_results=1000)
    parents = [r for r in mine if r.data.tags["kdbench.kind"] == "study"]
    assert len(parents) == 1
    assert parents[0].info.status == "FINISHED"
    if uri is None:  # a server keeps artifacts where it likes
        assert "report.html" in [artifact.path for artifact in client.list_artifacts(parents[0].info.run_id)]
    trials = {r.data.tags["kdbench.trial"]: r for r in mine if r.data.tags["kdbench.kind"] == "trial"}
    wanted = {name: entry for name, entry in result(storage, study).items() if name != "teacher"}
    assert sorted(r.data.tags["kdbench.trial"] for r in mine if r.data.tags["kdbench.kind"] == "trial") == sorted(
        wanted
    )
    for name, entry in wanted.items():
        run = trials[name]
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        assert run.data.tags["kdbench.end"] == entry["end"]
        steps = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "val/mAP")]
        assert sorted(steps) == sorted((int(e), v) for e, v in entry["values"].items())
