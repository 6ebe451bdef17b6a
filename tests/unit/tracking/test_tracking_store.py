"""Where the records lie, and how a wrong answer to that is told."""

from __future__ import annotations

import http.server
import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.tracking import store


def test_the_default_lies_in_the_storage_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    assert store.tracking_uri(Path("runs")) == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert store.tracking_uri(Path("runs"), "sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("mlruns", "no longer records into folders"),
        ("file:///tmp/mlruns", "no longer records into folders"),
        ("sqllite:///a.db", "did you mean 'sqlite'?"),
        ("s3://bucket/x", "not supported"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////tmp", "is a folder"),
        ("http://", "names no host"),
    ],
)
def test_wrong_uris(uri: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says) as caught:
        store.tracking_uri(tmp_path, uri)
    assert "\n" not in str(caught.value)


def refused(uri: str, storage: Path) -> tuple[str, float]:
    import mlflow.tracking  # noqa: F401  # seconds on a slow machine, and no wait for a server

    began = time.monotonic()
    with pytest.raises(InputError) as caught:
        store.prepare(store.tracking_uri(storage, uri), storage)
    assert "\n" not in str(caught.value)
    return str(caught.value), time.monotonic() - began


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    message, seconds = refused("http://127.0.0.1:9", tmp_path)
    assert "no server answers there" in message
    assert seconds < 5


def test_a_database_server_that_is_not_there_and_a_secret(tmp_path: Path) -> None:
    message, seconds = refused("postgresql://me:secret@127.0.0.1:9/runs", tmp_path)
    assert "secret" not in message
    assert seconds < 5


def test_a_server_that_is_not_mlflow(tmp_path: Path) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        message, seconds = refused(f"http://127.0.0.1:{server.server_port}", tmp_path)
    finally:
        server.shutdown()
    assert "not as MLflow does" in message
    assert seconds < 5


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("hello " * 100)
    message, _ = refused(f"sqlite:///{tmp_path}/notes.db", tmp_path)
    assert "not an SQLite database" in message
    assert (tmp_path / "notes.db").read_text().startswith("hello")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message, _ = refused(f"sqlite:///{tmp_path}/file/mlflow.db", tmp_path)
    assert "cannot be made" in message


def make(storage: Path, start: Any) -> None:
    start.wait(30)
    store.prepare(store.tracking_uri(storage), storage)


def test_processes_make_one_database_at_once(tmp_path: Path, made: Path) -> None:
    context = multiprocessing.get_context("fork")  # mlflow is imported already: they do start at once
    storage, start = tmp_path / "runs", context.Barrier(3)
    makers = [context.Process(target=make, args=(storage, start)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert [maker.exitcode for maker in makers] == [0, 0, 0]
    assert sorted(path.name for path in storage.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


def test_nothing_is_left_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    store.prepare(store.tracking_uri(made.parent), made.parent)
    assert list(here.iterdir()) == []
