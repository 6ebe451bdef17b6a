"""The UI's command and its port; tests/integration/test_mlflow_server.py starts it."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from kdbench.errors import InputError, RunError
from kdbench.tracking import ui
from kdbench.tracking.server import Server


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        monkeypatch.setattr(ui, "PORT", listener.getsockname()[1])
        yield listener.getsockname()[1]


def test_the_command_is_light_and_stays_on_this_machine(tmp_path: Path) -> None:
    command, environment = ui.ui_command(f"sqlite:///{tmp_path}/mlflow.db", tmp_path, port=5001)
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    options = dict(pairwise(command))
    assert options["--host"] == "127.0.0.1"
    assert options["--workers"] == "1"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_taken_port(taken: int) -> None:
    assert ui.choose_port("127.0.0.1", None) != taken
    with pytest.raises(InputError, match=f"--port {taken}: is taken"):
        ui.choose_port("127.0.0.1", taken)


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('oh no'); sys.exit(3)"]
    with pytest.raises(RunError, match="oh no"), Server(command, {}, "http://127.0.0.1:9", tmp_path) as server:
        server.wait_until_it_answers(20)


def test_the_whole_group_ends_with_the_block(tmp_path: Path) -> None:
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '300']).pid, flush=True); time.sleep(300)"
    with Server([sys.executable, "-c", code], {"PATH": "/usr/bin:/bin"}, "http://127.0.0.1:9", tmp_path) as server:
        while not server._last_line().isdigit():
            time.sleep(0.05)
        child = int(server._last_line())
    time.sleep(0.2)
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_tracking_server_is_its_own_ui(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ui, "prepare", lambda uri, storage: None)
    ui.serve_ui("http://mlflow.example:5000/", Path("/tmp"))
    assert capsys.readouterr().out == "MLflow UI: http://mlflow.example:5000\n"
