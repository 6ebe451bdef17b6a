"""`kdbench.leaderboard(...)`: from what the tracker wrote to a data frame, and the questions it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import kdbench
from kdbench.errors import InputError
from kdbench.leaderboard.api import rows
from kdbench.leaderboard.row import KEYS
from kdbench.tracking.store import tracking_uri
from kdbench.tracking.writer import Tracker


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    tracker = Tracker(tracking_uri(folder), folder)

    def trial(study: str, name: str, method: str, best: float | None) -> None:
        tracker.open_study("shapes", study, tags={}, params={})
        given: dict[str, Any] = {"recipe": {"metric": "mAP"}, "recipe_hash": name, "config_hash": name, "tags": {}}
        key = tracker.open_trial("shapes", study, name, method=method, seed=0, teacher="t1", stage="search", **given)
        if best is not None:
            summary = {"best/mAP": best, "cost/device_hours": 0.5}
            tracker.close(key, "completed", summary=summary, reason=None, artifacts=[])

    trial("plain", "none-000", "none", 0.2)
    trial("first", "defeat-000", "defeat", 0.3)
    trial("running", "defeat-000", "defeat", None)
    teacher = tracker.open_teacher("shapes", "t1", recipe={"metric": "mAP"}, recipe_hash="t1", seed=0)
    tracker.close(teacher, "completed", summary={"best/mAP": 0.6}, reason=None, artifacts=[])
    return folder


def test_the_package_is_the_function(storage: Path) -> None:
    table = kdbench.leaderboard(storage=storage)
    assert list(table.columns) == list(KEYS)
    assert list(table["method"]) == ["defeat", "none"]
    assert kdbench.leaderboard.leaderboard(storage=storage).equals(table)


def test_one_study_with_the_baseline_of_another(storage: Path) -> None:
    (row,) = rows("first", storage=storage)
    assert (row.study, row.baseline_mean, row.teacher_mean) == ("first", 0.2, 0.6)
    assert row.gap_closed == pytest.approx(0.25)


def test_the_storage_of_the_environment(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDBENCH_HOME", str(storage))
    assert len(rows(task="shapes")) == 2


def test_a_study_that_has_only_begun_has_no_rows(storage: Path) -> None:
    assert rows("running", storage=storage) == []
    assert list(kdbench.leaderboard("running", storage=storage).columns) == list(KEYS)


@pytest.mark.parametrize(
    ("studies", "task", "says"),
    [
        (("frist",), None, "study frist: not found .* did you mean 'first'?"),
        (("first", "palin"), None, "study palin: .* did you mean 'plain'?"),
        ((), "shape", "--task shape: .* did you mean 'shapes'?"),
        (("first",), "shape", "--task shape"),
    ],
)
def test_unknown(storage: Path, studies: tuple[str, ...], task: str | None, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        rows(*studies, task=task, storage=storage)
    assert "\n" not in str(caught.value)


def test_nothing_recorded_yet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make some results: kdbench search defeat"):
        rows(storage=tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, kdbench.leaderboard, kdbench.leaderboard.render, kdbench.leaderboard.rows, kdbench.tracking.writer\n"
        "print([m for m in ('mlflow', 'pandas', 'scipy', 'rich', 'torch') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
