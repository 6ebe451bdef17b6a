"""A Ray that does not come up on a busy machine is started anew, and said to be so in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import RunError
from kdbench.running import cluster
from kdbench.running.cluster import ray_session
from kdbench.specs.study import Resources

WORDS = "The current node timed out during startup. This could happen because some of the raylet failed to startup"
"""What Ray 2.60 raised, as a plain Exception, on two cores with 20 processes waiting."""


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """What the next starts raise, one after the other; then one succeeds. No Ray is started."""
    import ray

    waiting: list[Exception] = []

    def init(**_: Any) -> None:
        if waiting:
            raise waiting.pop(0)

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    return waiting


def test_started_anew(failures: list[Exception]) -> None:
    failures += [Exception(WORDS)] * (cluster.STARTS - 1)
    with ray_session(None, Resources()) as available:
        assert available == {"CPU": 2.0}


def test_given_up_in_one_line(failures: list[Exception]) -> None:
    failures += [Exception(WORDS)] * cluster.STARTS
    with pytest.raises(
        RunError, match=r"^Ray did not start on this machine in 3 attempts of 30 s; .* kdbench resume STUDY\)$"
    ):
        with ray_session(None, Resources()):
            pass


def test_what_else_goes_wrong_is_not_tried_again(failures: list[Exception]) -> None:
    failures += [Exception("no such binary"), Exception(WORDS)]
    with pytest.raises(Exception, match="no such binary"):
        with ray_session(None, Resources()):
            pass
    assert len(failures) == 1


LOGIN = """
import os, ray
ray.init = lambda **_: print(os.environ.get("RAY_AUTH_MODE"))
from kdbench.running import cluster
from kdbench.specs.study import Resources
cluster.check_cluster = lambda address: None
try:
    with cluster.ray_session({address!r}, Resources()):
        pass
except Exception:
    pass
"""


@pytest.mark.parametrize(
    ("address", "token", "mode"),
    [("127.0.0.1:6379", True, "token"), ("203.0.113.9:6379", True, "None"), ("127.0.0.1:6379", False, "None")],
)
def test_a_ray_of_this_machine_is_shown_its_token(address: str, token: bool, mode: str, tmp_path: Path) -> None:
    """`ray start --head` asked for the token that an earlier search had left, and `--address` of it was refused."""
    if token:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", LOGIN.format(address=address)],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.stdout.strip(), done.stderr) == (mode, "")
