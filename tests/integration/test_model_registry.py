"""The model registry of a real MLflow server: files go through HTTP, and come back as they were."""

from __future__ import annotations

from pathlib import Path

from kdbench.tracking import store, ui
from kdbench.tracking.client import make_client
from kdbench.tracking.models import Models
from kdbench.tracking.server import Server
from kdbench.tracking.writer import Tracker

IDENTITY = {"study": "first", "trial": "teacher", "task": "shapes", "method": "none", "recipe": "t1"}


def test_through_a_tracking_server(tmp_path: Path) -> None:
    home, here = tmp_path / "server", tmp_path / "client"
    student = here / "student" / "annotations"
    student.mkdir(parents=True)
    (student / "search.json").write_text("{}")
    (student.parent / "student.pth").write_bytes(bytes(range(256)) * 64)
    database = store.tracking_uri(home)
    store.prepare(database, home)
    port = ui.choose_port("127.0.0.1", None)
    uri = f"http://127.0.0.1:{port}"
    command, environment = ui.ui_command(database, home, port=port)
    start = command.index("--default-artifact-root")
    command[start : start + 3] = ["--serve-artifacts", "--artifacts-destination", str(home / "kept")]
    with Server(command, environment, uri, home) as running:
        running.wait_until_it_answers()
        Tracker(uri, here).open_teacher("shapes", "t1", recipe={"seed": 0}, recipe_hash="t1", seed=0)
        assert Models(uri, "cells").add(student.parent, IDENTITY, {"figure": "0.5"}) == (1, True)
        assert Models(uri, "cells").add(student.parent, IDENTITY, {"figure": "0.5"}) == (1, False)
        from mlflow.artifacts import download_artifacts

        source = make_client(uri).get_model_version_download_uri("cells", "1")
        place = Path(download_artifacts(artifact_uri=source, tracking_uri=uri, dst_path=str(tmp_path)))
        assert (place / "student.pth").read_bytes() == (student.parent / "student.pth").read_bytes()
        assert (place / "annotations" / "search.json").read_text() == "{}"
