"""Two sides compared: which trainings stand for a name, what the difference says, what differs."""

from __future__ import annotations

import csv
import io
import json

import pytest

from kdbench.errors import InputError
from kdbench.leaderboard.compare import duel
from kdbench.leaderboard.duel_text import render_duel
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun


def repeated(run: MakeRun, method: str, config: str, figures: list[float], **more: object) -> list[Run]:
    return [run(method, config, seed, report=figure, **more) for seed, figure in enumerate(figures)]


def test_methods_stand_for_their_best_recipe(run: MakeRun) -> None:
    runs = repeated(run, "pkd", "a", [0.40, 0.42, 0.41]) + repeated(run, "pkd", "b", [0.10, 0.12, 0.11])
    runs += repeated(run, "defeat", "c", [0.30, 0.33, 0.30])
    found = duel(runs, "pkd", "defeat")
    assert (found.a.config.config, found.b.config.config) == ("a", "c")
    assert found.result.delta == pytest.approx(0.10)
    # Differences 0.10, 0.09, 0.11: mean 0.10, standard error 0.01/sqrt(3), t(0.975, 2) = 4.302653.
    assert found.result.ci95 == pytest.approx(4.302653 * 0.01 / 3**0.5, rel=1e-5)
    assert found.verdict == "pkd is better"
    assert duel(runs, "defeat", "pkd").verdict == "pkd is better"


def test_a_tie_and_a_single_seed(run: MakeRun) -> None:
    runs = repeated(run, "pkd", "a", [0.40, 0.30, 0.41]) + repeated(run, "defeat", "c", [0.39, 0.33, 0.40])
    assert duel(runs, "pkd", "defeat").verdict.startswith("a tie")
    once = [run("pkd", "a", best=0.4), run("defeat", "c", best=0.2)]
    found = duel(once, "pkd", "defeat")
    assert found.verdict.startswith("one seed proves nothing")
    assert "both flatter" in render_duel(found).replace("\n", " ")


def test_the_report_split_only_if_both_have_it(run: MakeRun) -> None:
    runs = [run("pkd", "a", best=0.5, report=0.4), run("defeat", "c", best=0.3)]
    found = duel(runs, "pkd", "defeat")
    assert (found.a.config.split, found.result.delta) == ("search", pytest.approx(0.2))


def test_studies_trials_and_hashes(run: MakeRun) -> None:
    runs = [
        run("none", "n", best=0.9, study="one"),
        run("pkd", "a", best=0.4, study="one", trial="pkd-000", recipe="abcdef012345"),
        run("pkd", "b", best=0.2, study="two", trial="pkd-000"),
        run("pkd", "c", best=0.1, study="two", trial="pkd-001"),
    ]
    found = duel(runs, "one", "two")
    assert (found.a.shown, found.b.shown) == ("one/pkd-000", "two/pkd-000")
    found = duel(runs, "two/pkd-001", "abcdef0")
    assert (found.a.shown, found.b.shown) == ("two/pkd-001", "one/pkd-000")


def test_what_differs(run: MakeRun) -> None:
    shared = {"metric": "mAP", "schedule.lr": "0.002"}
    runs = [
        run("pkd", "a", best=0.4, params={**shared, "method.params.weight": "6.0", "seed": "0", "teacher.id": "x"}),
        run("cwd", "b", best=0.3, params={**shared, "schedule.lr": "0.001", "seed": "1"}),
    ]
    found = duel(runs, "pkd", "cwd")
    assert found.settings == [("schedule.lr", "0.002", "0.001"), ("method.params.weight", "6.0", "")]
    content = json.loads(render_duel(found, "json"))
    assert content["settings"]["schedule.lr"] == {"a": "0.002", "b": "0.001"}
    assert content["delta"] == pytest.approx(0.1)
    rows = list(csv.reader(io.StringIO(render_duel(found, "csv"))))
    assert rows[0] == ["", "pkd", "cwd"]
    assert ["schedule.lr", "0.002", "0.001"] in rows
    assert "| schedule.lr | 0.002 | 0.001 |" in render_duel(found, "markdown")
    assert max(map(len, render_duel(found).splitlines())) <= 100


def test_refused(run: MakeRun) -> None:
    runs = [run("pkd", "a", best=0.4, study="one"), run("cwd", "b", study="one", end="failed")]
    runs.append(run("pkd", "c", best=0.4, study="far", task="other"))
    for names, words in (
        (("pkdd", "one"), "no study, method or trial of that name; did you mean 'pkd'"),
        (("one", "cwd"), "cwd has no completed training"),
        (("one", "one"), "stand for the same trainings"),
        (("one", "far"), "different tasks do not compare"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            duel(runs, *names)
        assert "\n" not in str(caught.value)
