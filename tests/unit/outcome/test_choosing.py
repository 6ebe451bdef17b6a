"""Which trial of a study is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.leaderboard.row import Row
from kdbench.outcome.choosing import choose, row_of, suite_method, winner, with_weights
from kdbench.search.finding import Trained
from kdbench.specs.recipe import Recipe
from tests.unit.search.plans import plan
from tests.unit.search.test_finding import write_study


def row(trial: str, mean: float, **changes: Any) -> Row:
    values: dict[str, Any] = {name: None for name, field in Row.model_fields.items() if field.is_required()}
    values |= {"rank": 1, "task": "t", "method": "defeat", "study": "s", "metric": "mAP", "n_seeds": 1, "teacher": "x"}
    return Row.model_validate({**values, "trial": trial, "mean": mean, "split": "search", **changes})


def trained(trial: str, summary: dict[str, float], stage: str = "search", lr: float = 0.1, **changes: Any) -> Trained:
    seed = int(trial[-1]) if stage == "final" else 0
    recipe: Recipe = plan().recipe("defeat", {"training.lr": lr}, seed)
    recipe = recipe.model_copy(update={"metric": changes.pop("metric", "mAP")})
    return Trained("s", trial, stage, recipe, Path("nowhere"), **{"end": "completed", "summary": summary, **changes})


def finals(*figures: float, metric: str = "mAP") -> list[Trained]:
    return [
        trained(f"defeat-000-seed{seed}", {f"best/{metric}": 0.1, f"report/{metric}": figure}, "final", metric=metric)
        for seed, figure in enumerate(figures)
    ]


def test_the_seed_in_the_middle_of_the_finalists_and_not_the_search_trial() -> None:
    trials = [trained("defeat-000", {"best/mAP": 0.9}), *finals(0.40, 0.30, 0.35)]
    found = winner("s", {"defeat"}, [row("defeat-000-seed0", 0.35, split="report", n_seeds=3)], trials)
    assert found.trained.trial == "defeat-000-seed2"
    assert "3 seeds" in found.why
    assert "median mAP on the report split" in found.why


def test_of_two_in_the_middle_the_worse_one_whichever_direction_is_better() -> None:
    found = winner("s", {"defeat"}, [row("defeat-000-seed0", 0.3, split="report")], finals(0.1, 0.2, 0.3, 0.4))
    assert found.trained.summary["report/mAP"] == 0.2
    rows = [row("defeat-000-seed0", 0.3, split="report", metric="mMR")]
    assert winner("s", {"defeat"}, rows, finals(0.1, 0.2, 0.3, 0.4, metric="mMR")).trained.summary["report/mMR"] == 0.3


def test_finalists_come_before_a_better_row_of_the_search_split() -> None:
    rows = [row("defeat-001", 0.5), row("defeat-000-seed0", 0.3, split="report")]
    trials = [trained("defeat-001", {"best/mAP": 0.5}, lr=0.7), *finals(0.3)]
    assert winner("s", {"defeat"}, rows, trials).trained.trial == "defeat-000-seed0"


def test_without_finalists_the_first_row_of_the_method_and_study() -> None:
    rows = [row("none-000", 0.9, method="none"), row("x", 0.8, study="other"), row("defeat-001", 0.5), row("y", 0.4)]
    trials = [trained("defeat-000", {"best/mAP": 0.4}), trained("defeat-001", {"best/mAP": 0.5}, lr=0.7)]
    found = winner("s", {"defeat"}, rows, trials)
    assert (found.trained.trial, found.row) == ("defeat-001", rows[2])
    assert "search split" in found.why


def test_a_seed_that_failed_is_not_taken() -> None:
    trials = finals(0.40, 0.30)
    trials[1].end = "failed"
    rows = [row("defeat-000-seed0", 0.4, split="report")]
    assert winner("s", {"defeat"}, rows, trials).trained.trial == "defeat-000-seed0"


@pytest.mark.parametrize(
    ("rows", "words"),
    [([], "no trial of defeat is completed yet"), ([row("elsewhere-000", 0.3)], "not in this storage folder")],
)
def test_no_winner(rows: list[Row], words: str) -> None:
    with pytest.raises(InputError, match=words):
        winner("s", {"defeat"}, rows, [trained("defeat-000", {"best/mAP": 0.4})])


def test_the_row_of_a_trial_is_that_of_its_configuration() -> None:
    trials = [*finals(0.3, 0.4), trained("defeat-001", {"best/mAP": 0.5}, lr=0.7)]
    rows = [row("defeat-001", 0.5), row("defeat-000-seed0", 0.35, split="report")]
    assert row_of(trials[1], rows, trials) is rows[1]
    assert row_of(trials[2], rows, trials) is rows[0]
    assert row_of(trials[2], rows[1:], trials) is None


@pytest.mark.parametrize(
    ("end", "words"), [("pruned", "ended as pruned"), (None, "has not ended"), ("completed", "student.pth is gone")]
)
def test_only_what_has_weights(end: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_weights(trained("defeat-000", {}, end=end))


def test_a_trial_by_its_name_needs_no_records(tmp_path: Path) -> None:
    write_study(tmp_path, "one", {"none-000": 0, "none-001": 1})
    found = choose(tmp_path, "one", "none-001", None)
    assert (found.trained.name, found.row) == ("one/none-001", None)
    with pytest.raises(InputError, match="did you mean 'one/none-001'"):
        choose(tmp_path, "one", "none-01", None)


@pytest.mark.parametrize("raw", [b"", b"rubbish", b"\0" * 4000])
def test_damaged_weights_are_set_aside(tmp_path: Path, raw: bytes) -> None:
    write_study(tmp_path, "one", {"none-000": 0})
    weights = tmp_path / "studies" / "one" / "trials" / "none-000" / "student.pth"
    weights.write_bytes(raw)
    with pytest.raises(InputError, match="set aside as student.damaged.pth; put it back from a copy, or train"):
        choose(tmp_path, "one", "none-000", None)
    assert not weights.exists()
    with pytest.raises(InputError, match="student.pth is gone"):
        choose(tmp_path, "one", "none-000", None)


def test_single_runs_have_no_winner(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--trial HASH"):
        choose(tmp_path, "train", None, None)


def test_of_a_suite_the_method_of_its_best_row_and_never_the_baseline() -> None:
    rows = [
        row("none-seed0", 0.9, method="none"),
        row("pkd-seed0", 0.5, method="pkd"),
        row("fgd-seed0", 0.4, method="fgd"),
    ]
    assert suite_method("s", rows) == "pkd"
    with pytest.raises(InputError, match="no distilled row is completed"):
        suite_method("s", rows[:1])


def test_a_suite_of_several_tasks_asks_which_and_names_the_best_of_each() -> None:
    rows = [row("pkd-seed0", 0.5, method="pkd"), row("mgd-seed0", 0.4), row("ld-seed0", 0.2, method="ld", task="u")]
    with pytest.raises(
        InputError, match=r"say which with --trial; the best are pkd-seed0 \(0.500 on t\), ld-seed0 \(0.2"
    ):
        suite_method("s", rows)
