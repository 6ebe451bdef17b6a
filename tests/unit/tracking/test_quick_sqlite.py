"""Runs read straight from SQLite are those that MLflow gives; what is not MLflow's database is left to MLflow."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from kdbench.tracking import quick_sqlite, reader, store
from kdbench.tracking.client import make_client
from tests.integration.planted import plant


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    storage = tmp_path_factory.mktemp("planted")
    plant(storage)
    found = store.tracking_uri(storage)
    client = make_client(found)
    runs = client.search_runs(["1"], max_results=2)
    client.delete_run(runs[0].info.run_id)
    client.log_metric(runs[1].info.run_id, "odd", float("inf"))
    other = client.create_experiment("somebody else's")
    client.create_run(other, tags={"a": "b"})
    return found


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"task": "shapes"},
        {"task": "bccd"},
        {"studies": ["cwd-shapes"]},
        {"studies": ["nothing"]},
        {"kinds": ("trial",)},
        {"kinds": ("teacher",), "studies": ["cwd-shapes"]},
        {"kinds": ("study", "trial"), "studies": ["defeat-shapes"]},
        {"kinds": ("trial",), "method": "none", "task": "shapes"},
    ],
    ids=str,
)
def test_the_same_runs(uri: str, wishes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    quick = reader.read_runs(uri, **wishes)
    monkeypatch.setattr(reader, "stored_runs", lambda *_: None)
    assert quick == reader.read_runs(uri, **wishes)
    assert bool(quick) == (wishes.get("task") != "bccd")


def test_without_mlflow(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> Any:
        raise AssertionError("MLflow was asked")

    monkeypatch.setattr(reader, "connect", refuse)
    assert reader.read_runs(uri)


def test_another_database_is_left_to_mlflow(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE runs (run_uuid TEXT)")
    assert quick_sqlite.stored_runs(path, None, lambda _: True) is None
    (tmp_path / "text.db").write_text("not a database, surely")
    assert quick_sqlite.stored_runs(tmp_path / "text.db", None, lambda _: True) is None
