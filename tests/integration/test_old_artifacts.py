"""What an earlier kdbench wrote is read by this one: studies, a suite's run, an export, a teacher, MLflow's database."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.detectors import teachers
from kdbench.leaderboard.api import rows
from kdbench.outcome.verifying import verify
from kdbench.search.finding import find
from kdbench.specs.recipe import Recipe
from tests.integration.running import check_mlflow, events, result

V1 = Path(__file__).parents[1] / "data" / "v1"
WRITTEN_AT = "/srv/v1/kdbench-runs"
LOSSES = {1: 5.1313629, 2: 4.7049375, 3: 4.2198284, 4: 2.5884509}
"""Of fitnet-001, which the old kdbench, resumed by itself, went on to train; the kill came after the third."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A storage folder of the first version, as it lay on the disk."""
    return unpack(V1 / "home", tmp_path / "home", tmp_path / "home")


def unpack(source: Path, target: Path, home: Path) -> Path:
    """Copy a folder, unpack what is packed in it, and let it believe that its storage folder has always been `home`."""
    shutil.copytree(source, target)
    for file in target.rglob("*.gz"):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    for file in target.rglob("*.py"):
        file.write_text(file.read_text().replace(WRITTEN_AT, str(home)))
    if (target / "mlflow.db").is_file():
        with sqlite3.connect(target / "mlflow.db") as database:
            for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                database.execute(change, (WRITTEN_AT, str(home)))
        database.close()
    return target


def test_the_leaderboard_is_the_old_one(home: Path) -> None:
    found = {(row.study, row.trial): row for row in rows(storage=home)}
    best = found["searched", "defeat-001-seed0"]
    assert (best.split, best.n_seeds, best.verdict) == ("report", 2, "tie")
    assert (best.mean, best.delta, best.teacher_mean) == pytest.approx((0.0074, 0.0046, 0.0023))
    fitnet = found["suite", "fitnet-seed0"]
    assert (fitnet.mean, fitnet.gap_closed) == pytest.approx((0.0048, 3.173913))
    assert len(found) == 7


def test_compare_and_list(home: Path, kdbench: Callable) -> None:
    run = kdbench("compare", "defeat", "none", "--task", "tiny", "--format", "json", "--storage", home)
    assert run.wait() == 0, run.text()
    told = json.loads(run.text())
    assert (told["delta"], told["delta_ci95"]) == pytest.approx((0.0046, 0.1092734))
    listed = kdbench("list", "studies", "--storage", home)
    assert listed.wait() == 0
    assert {"searched", "killed", "suite"} <= set(listed.text().split())


def test_a_teacher_of_the_store(home: Path) -> None:
    (folder,) = (home / "teachers").iterdir()
    card = teachers.card(home, folder.name)
    recipe = Recipe.parse(card["recipe"], "card")
    assert recipe.hash == folder.name
    assert teachers.figures(home, recipe)["report/mAP"] == pytest.approx(0.0023)


def test_a_killed_study_goes_on_from_its_checkpoint(home: Path, kdbench: Callable) -> None:
    run = kdbench("resume", "killed", "--storage", home)
    assert run.wait() == 0, run.text()
    assert {name: entry["end"] for name, entry in result(home, "killed").items()} == dict.fromkeys(
        ("none-000", "fitnet-000", "fitnet-001"), "completed"
    )
    told = [e for e in events(home, "killed") if e["event"] == "report" and e["trial"] == "fitnet-001"]
    losses = {event["epoch"]: event["metrics"]["train/loss"] for event in told}
    assert sorted(losses) == list(range(1, 9))
    # Another processor adds up in another order; begun anew, the fourth epoch's loss would be that of the first.
    assert {epoch: losses[epoch] for epoch in LOSSES} == pytest.approx(LOSSES, rel=0.02)
    check_mlflow(home, "killed")


def test_a_suite_of_which_all_is_done(home: Path, tmp_path: Path, kdbench: Callable) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text((V1 / "suite.yaml").read_text().replace("tiny.yaml", str(V1 / "tiny.yaml")))
    before = (home / "studies" / "suite" / "ledger.jsonl").read_text()
    run = kdbench("bench", suite, "--grade", "smoke", "--name", "suite", "--storage", home)
    assert run.wait() == 0, run.text()
    assert "fitnet-seed0" in run.text()
    assert (home / "studies" / "suite" / "ledger.jsonl").read_text() == before


def test_an_old_study_is_exported(home: Path, tmp_path: Path, kdbench: Callable) -> None:
    run = kdbench("export", "searched", "-o", tmp_path / "new", "--storage", home, "--tolerance", 5e-4)
    assert run.wait() == 0, run.text()
    assert "searched/defeat-001-seed1: the winner" in run.text()
    old, new = V1 / "export" / "recipe.json", tmp_path / "new" / "recipe.json"
    assert json.loads(old.read_text()) == json.loads(new.read_text())


def test_an_old_export_is_what_it_says(home: Path, tmp_path: Path) -> None:
    folder = unpack(V1 / "export", tmp_path / "export", home)
    trained = find(home, "searched/defeat-001-seed1")
    found = verify(folder, trained, trained_on="cpu", device="cpu", threads=1, wanted=5e-4)
    figure = found.figure("search", "mAP")
    assert figure is not None
    assert figure.recorded == pytest.approx(0.0094)
    assert json.loads((folder / "evidence.json").read_text())["recipe"] == trained.recipe.hash
