"""A storage folder whose database is there already: making one takes MLflow two seconds, copying it none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.tracking import store
from kdbench.tracking.writer import Tracker


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("made")
    store.prepare(store.tracking_uri(storage), storage)
    return storage / "mlflow.db"


@pytest.fixture
def storage(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "kdbench runs"
    folder.mkdir()
    shutil.copy(made, folder / "mlflow.db")
    return folder


@pytest.fixture
def uri(storage: Path) -> str:
    return store.tracking_uri(storage)


@pytest.fixture
def tracker(uri: str, storage: Path) -> Tracker:
    return Tracker(uri, storage)


@pytest.fixture
def client(uri: str) -> Any:
    from kdbench.tracking.client import make_client

    return make_client(uri)


@pytest.fixture
def open_trial() -> Callable[..., str]:
    """Opens a study and a trial in it; what is of no interest to the test has a value."""

    def opened(tracker: Tracker, trial: str = "defeat-000", **changes: Any) -> str:
        tracker.open_study("shapes", "first", tags={"kdbench.method": "defeat"}, params={"trials": 2})
        values: dict[str, Any] = {
            "method": "defeat",
            "recipe": {"metric": "mAP", "schedule": {"lr": 0.002, "grad_clip": None}, "seed": 3},
            "recipe_hash": "a1",
            "config_hash": "c1",
            "seed": 3,
            "teacher": "t1",
            "stage": "search",
            "tags": {},
        }
        return tracker.open_trial("shapes", "first", trial, **{**values, **changes})

    return opened


@pytest.fixture(autouse=True)
def every_epoch_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not train for seconds between epochs."""
    monkeypatch.setattr("kdbench.tracking.mirror.AGAIN", 0.0)
