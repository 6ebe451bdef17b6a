"""A Ray that does not come up on a busy machine is started anew, and said to be so in the end."""

from __future__ import annotations

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
