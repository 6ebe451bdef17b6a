"""A Ray that does not start is the machine's trouble, not a bug: one line, exit code 1."""

from __future__ import annotations

import pytest

from kdbench.errors import RunError
from kdbench.running.cluster import ray_session
from kdbench.specs.study import Resources


def test_a_ray_that_does_not_start_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", "no JSON")
    with pytest.raises(RunError, match=r"^Ray does not start on this machine \(.+\); nothing is lost: ") as caught:
        with ray_session(None, Resources()):
            pass
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
