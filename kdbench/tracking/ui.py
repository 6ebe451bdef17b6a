"""MLflow's own user interface over the storage folder, on this machine's loopback address."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from kdbench.errors import InputError
from kdbench.tracking.client import ENVIRONMENT, connect, shown
from kdbench.tracking.server import Server
from kdbench.tracking.store import ARTIFACTS, prepare, tracking_uri

HOST, PORT = "127.0.0.1", 5000


def ui_command(uri: str, storage: Path, host: str = HOST, port: int = PORT) -> tuple[list[str], dict[str, str]]:
    """The command that serves the UI, and the environment to run it in.

    One worker and no job runner: 2 processes and 0.5 GB instead of 10 and 2.3 GB.
    """
    artifacts = (storage.expanduser().absolute() / ARTIFACTS).as_uri()
    where = ["--host", host, "--port", str(port), "--workers", "1"]
    data = ["--backend-store-uri", uri, "--default-artifact-root", artifacts, "--no-serve-artifacts"]
    environment = {**os.environ, **ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return [sys.executable, "-m", "mlflow", "server", *data, *where], environment


def serve_ui(uri: str | None, storage: Path, port: int | None = None, host: str = HOST) -> None:
    """Serve the UI until Ctrl-C (or SIGTERM); prints where it is once it answers.

    Args:
        uri: as given by the user; None is the storage folder's database.
        port: None is 5000, or a free one when that is taken.

    Raises:
        InputError: the URI is wrong, or the port that was asked for is taken.
        RunError: the server does not come up.
    """
    uri = tracking_uri(storage, uri)
    if urlsplit(uri).scheme in ("http", "https"):
        prepare(uri, storage)
        print(f"MLflow UI: {shown(uri)}", flush=True)  # a tracking server is its own UI
        return
    chosen = choose_port(host, port)
    prepare(uri, storage)
    command, environment = ui_command(uri, storage, host, chosen)
    with Server(command, environment, f"http://{host}:{chosen}", storage) as server:
        server.wait_until_it_answers()
        print(f"MLflow UI: http://{host}:{chosen}", flush=True)
        for line in task_links(uri, f"http://{host}:{chosen}"):
            print(line, file=sys.stderr, flush=True)
        print(
            "Ctrl-C ends it; should a page speak of GenAI, choose Model training at its top left",
            file=sys.stderr,
            flush=True,
        )
        server.wait()


def task_links(uri: str, address: str) -> list[str]:
    """A line for each task with the page of its runs. Without that path MLflow opens an experiment as one of language models."""
    client = connect(uri)
    found = [entry for entry in client.search_experiments() if entry.experiment_id != "0"]
    return [
        f"task {entry.name}: {address}/#/experiments/{entry.experiment_id}/runs?workflowType=machine_learning"
        for entry in sorted(found, key=lambda entry: entry.name)
    ]


def choose_port(host: str, asked: int | None) -> int:
    """The port that was asked for, or the usual one, or a free one.

    Raises:
        InputError: the one that was asked for is taken.
    """
    if _free(host, asked or PORT):
        return asked or PORT
    if asked is not None:
        raise InputError(f"--port {asked}: is taken on {host}; leave it out to get a free one")
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
