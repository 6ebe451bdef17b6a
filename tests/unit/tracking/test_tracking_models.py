"""The model registry: a version is an artifact of the trial's run, and the same trial has one version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.tracking.models import Models
from kdbench.tracking.reader import read_runs
from kdbench.tracking.writer import Tracker

IDENTITY = {"study": "first", "trial": "defeat-000", "task": "shapes", "method": "defeat", "recipe": "a1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "student"
    (made / "annotations").mkdir(parents=True)
    (made / "config.py").write_text("model = dict()\n")
    (made / "annotations" / "search.json").write_text("{}")
    return made


def test_a_version_refers_to_the_artifacts_of_the_trials_run(
    tracker: Tracker, uri: str, client: Any, open_trial: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    tracker.close(open_trial(tracker), "completed", summary={}, reason=None, artifacts=[])
    assert Models(uri, "cells").add(folder, IDENTITY, {"metric": "mAP", "figure": "0.35"}) == (1, True)
    (version,) = client.search_model_versions("name = 'cells'")
    (run,) = read_runs(uri, kinds=["trial"])
    assert version.run_id == run.run_id
    assert {name: version.tags[f"kdbench.{name}"] for name in IDENTITY} == IDENTITY
    assert (version.tags["kdbench.metric"], version.tags["kdbench.figure"]) == ("mAP", "0.35")
    from mlflow.artifacts import download_artifacts

    place = Path(download_artifacts(artifact_uri=client.get_model_version_download_uri("cells", "1"), tracking_uri=uri))
    assert (place / "config.py").read_text() == "model = dict()\n"
    assert (place / "annotations" / "search.json").is_file()
    assert client.get_run(run.run_id).info.status == "FINISHED"


def test_the_same_trial_has_one_version_and_another_one_the_next(
    tracker: Tracker, uri: str, client: Any, open_trial: Callable[..., str], folder: Path
) -> None:
    open_trial(tracker)
    open_trial(tracker, "defeat-001", recipe_hash="b2")
    other = {**IDENTITY, "trial": "defeat-001", "recipe": "b2"}
    assert Models(uri, "cells").add(folder, IDENTITY, {"figure": "0.3"}) == (1, True)
    assert Models(uri, "cells").add(folder, IDENTITY, {"figure": "0.3"}) == (1, False)
    assert Models(uri, "cells").add(folder, other, {}) == (2, True)
    assert Models(uri, "cells").add(folder, IDENTITY, {}) == (1, False)
    assert Models(uri, "others").add(folder, IDENTITY, {}) == (1, True)
    assert len(client.search_model_versions("name = 'cells'")) == 2


def test_a_teacher_is_registered_from_its_own_run(tracker: Tracker, uri: str, client: Any, folder: Path) -> None:
    tracker.open_teacher("shapes", "t1", recipe={"seed": 0}, recipe_hash="t1", seed=0)
    identity = {**IDENTITY, "trial": "teacher", "method": "none", "recipe": "t1"}
    assert Models(uri, "teachers").add(folder, identity, {}) == (1, True)
    (run,) = read_runs(uri, kinds=["teacher"])
    assert client.get_model_version("teachers", "1").run_id == run.run_id


def test_a_trial_without_a_run_is_refused_and_makes_no_model(
    tracker: Tracker, uri: str, client: Any, open_trial: Callable[..., str], folder: Path
) -> None:
    open_trial(tracker)
    for identity in ({**IDENTITY, "trial": "defeat-009", "recipe": "c3"}, {**IDENTITY, "task": "elsewhere"}):
        with pytest.raises(InputError, match="has no run at sqlite"):
            Models(uri, "cells").add(folder, identity, {})
    assert client.search_registered_models() == []


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "it's", 'a"b'])
def test_names_that_mlflow_refuses(uri: str, name: str) -> None:
    with pytest.raises(InputError, match="--register"):
        Models(uri, name)


def test_nothing_recorded_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is recorded"):
        Models(f"sqlite:///{tmp_path / 'mlflow.db'}", "cells")
    assert list(tmp_path.iterdir()) == []
