"""Which runs make a row, what it is compared with, and what it cost."""

from __future__ import annotations

import pytest

from kdbench.leaderboard.row import KEYS
from kdbench.leaderboard.rows import build_rows
from kdbench.leaderboard.table import table
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun

CONTRACT = (
    "rank task method study trial recipe metric n_seeds mean std ci95 baseline_mean delta delta_ci95 verdict teacher_mean "
    "gap_closed device_hours search_device_hours peak_memory_gb sec_per_iter params_m published split teacher "
    "p_value p_holm published_id published_delta published_inside published_note gflops teacher_device_hours shared"
)


def test_the_keys() -> None:
    assert " ".join(KEYS) == CONTRACT


def test_equal_figures_stand_in_the_order_of_their_trials(run: MakeRun) -> None:
    runs = [run("pkd", config, best=0.0) for config in ("b", "a", "d", "c")]
    assert [row.trial for row in build_rows(runs)] == sorted(str(one.trial) for one in runs)


def test_a_search_with_one_seed(run: MakeRun, teacher: Run) -> None:
    runs = [
        run("none", "n", best=0.22, hours=0.5),
        run("defeat", "a", best=0.32, hours=1.0, metrics={"cost/peak_memory_gb": 1.5, "sec_per_iter": 0.2}),
        run("defeat", "b", best=0.12, hours=1.0, metrics={"cost/params_m": 3.0}),
        run("defeat", "c", best=0.11, hours=0.25, end="pruned"),
        run("defeat", "d", hours=0.25, end="failed"),
        teacher,
    ]
    first, second, third = build_rows(runs)
    assert (first.rank, first.method, first.trial, first.n_seeds, first.mean) == (1, "defeat", "defeat-002", 1, 0.32)
    assert (first.std, first.ci95, first.delta_ci95, first.verdict, first.split) == (
        None,
        None,
        None,
        "single",
        "search",
    )
    assert first.delta == pytest.approx(0.10)
    assert first.teacher_mean == 0.62
    assert first.gap_closed == pytest.approx(0.10 / 0.40)
    assert (first.device_hours, first.search_device_hours) == (1.0, 2.5)
    assert (first.peak_memory_gb, first.sec_per_iter, first.params_m, first.published) == (1.5, 0.2, None, None)
    assert (second.method, second.baseline_mean, second.delta, second.verdict) == ("none", 0.22, 0.0, None)
    assert third.delta == pytest.approx(-0.10)
    assert third.params_m == 3.0


def finals(run: MakeRun, method: str, config: str, figures: list[float], **more: object) -> list[Run]:
    return [run(method, config, seed + 1, best=0.9, report=figure, **more) for seed, figure in enumerate(figures)]


def test_finalists_are_shown_on_the_report_split_without_the_trial_that_won(run: MakeRun, teacher: Run) -> None:
    runs = [run("none", "n", best=0.30), run("defeat", "a", best=0.50), run("defeat", "b", best=0.45), teacher]
    runs += finals(run, "none", "n", [0.20, 0.21, 0.22]) + finals(run, "defeat", "a", [0.30, 0.32, 0.31])
    rows = {(row.method, row.split): row for row in build_rows(runs)}
    best, base, other = rows["defeat", "report"], rows["none", "report"], rows["defeat", "search"]
    assert len(rows) == 3
    assert (best.n_seeds, best.verdict) == (3, "better")
    assert best.mean == pytest.approx(0.31)
    assert best.baseline_mean == base.mean == pytest.approx(0.21)
    assert best.teacher_mean == 0.60
    # Compared on the split where it was measured: the baseline's best/mAP over the same configuration's runs.
    assert other.baseline_mean == pytest.approx((0.30 + 3 * 0.9) / 4)
    assert (other.teacher_mean, other.verdict) == (0.62, "single")
    assert [row.rank for row in build_rows(runs)] == [1, 2, 3]


def test_finalists_not_all_measured_stay_on_the_search_split(run: MakeRun) -> None:
    runs = [*finals(run, "defeat", "a", [0.30, 0.32]), run("defeat", "a", 9, best=0.6, stage="final")]
    (row,) = build_rows(runs)
    assert (row.split, row.n_seeds) == ("search", 3)
    assert row.mean == pytest.approx((0.9 + 0.9 + 0.6) / 3)


def test_the_same_recipe_twice_counts_once_the_later(run: MakeRun) -> None:
    (row,) = build_rows([run("defeat", "a", 0, best=0.3, hours=1.0), run("defeat", "a", 0, best=0.4, hours=1.0)])
    assert (row.n_seeds, row.mean, row.search_device_hours) == (1, 0.4, 2.0)


def test_the_best_plain_configuration_is_the_baseline(run: MakeRun) -> None:
    runs = [run("none", "n", best=0.2), run("none", "m", best=0.25), run("defeat", "a", best=0.3)]
    rows = build_rows(runs)
    assert {row.baseline_mean for row in rows} == {0.25}
    assert [row.delta for row in rows] == pytest.approx([0.05, 0.0, -0.05])


def test_a_study_without_a_baseline_takes_one_of_the_same_task(run: MakeRun) -> None:
    base = [run("none", "n", best=0.2, study="plain"), run("none", "m", best=0.4, study="other", task="voc")]
    (row,) = build_rows([*base, run("defeat", "a", best=0.3)], studies=["first"])
    assert row.baseline_mean == 0.2


def test_but_not_one_that_trained_longer(run: MakeRun) -> None:
    long = run("none", "n", best=0.4, study="plain", params={"metric": "mAP", "schedule.epochs": "48"})
    short = run("defeat", "a", best=0.3, params={"metric": "mAP", "schedule.epochs": "8"})
    (row,) = build_rows([long, short], studies=["first"])
    assert (row.baseline_mean, row.delta, row.verdict, row.gap_closed) == (None, None, None, None)


def test_unknown_stays_unknown(run: MakeRun, teacher: Run) -> None:
    (row,) = build_rows([run("defeat", "a", best=0.3)])
    assert row.model_dump(include={"baseline_mean", "delta", "teacher_mean", "gap_closed", "device_hours"}) == {
        "baseline_mean": None,
        "delta": None,
        "teacher_mean": None,
        "gap_closed": None,
        "device_hours": None,
    }
    (_, weak) = build_rows([run("none", "n", best=0.7), run("defeat", "a", best=0.65), teacher])
    assert (weak.teacher_mean, weak.gap_closed) == (0.62, None)  # the teacher is no better than the baseline
    assert build_rows([run("defeat", "a")]) == []


def test_the_task_s_own_metric(run: MakeRun) -> None:
    (row,) = build_rows([run("defeat", "a", best=0.3, params={"metric": "mAP_50"}, metrics={"best/mAP_50": 0.5})])
    assert (row.metric, row.mean) == ("mAP_50", 0.5)


def test_ranks_are_by_task(run: MakeRun) -> None:
    rows = build_rows(
        [run("defeat", c, best=b, task=t) for c, b, t in [("a", 0.1, "x"), ("b", 0.2, "y"), ("c", 0.3, "x")]]
    )
    assert [(row.task, row.rank, row.mean) for row in rows] == [("x", 1, 0.3), ("x", 2, 0.1), ("y", 1, 0.2)]


def test_a_row_says_that_it_had_no_teacher(run: MakeRun, teacher: Run) -> None:
    rows = build_rows(
        [run("none", "n", best=0.2), run("defeat", "a", best=0.3), run("lgd", "l", best=0.25, teacher=None), teacher]
    )
    assert {row.method: row.teacher for row in rows} == {"none": "none", "defeat": "t1", "lgd": "none"}
    assert {row.method: row.teacher_mean for row in rows}["lgd"] is None
    assert "trained without a teacher: lgd" in table(rows)


BASE = [0.30, 0.31, 0.32]
SMALL_WIN = [0.32, 0.34, 0.345]
"""p = 0.0131 against BASE, paired (worked out in test_leaderboard_statistics)."""


def test_a_small_win_holds_alone_and_not_among_many(run: MakeRun) -> None:
    alone = [*finals(run, "none", "n", BASE), *finals(run, "defeat", "a", SMALL_WIN)]
    rows = {row.method: row for row in build_rows(alone)}
    assert rows["defeat"].verdict == "better"
    assert rows["defeat"].p_holm == rows["defeat"].p_value == pytest.approx(0.013072, abs=1e-6)
    assert (rows["none"].p_value, rows["none"].p_holm, rows["none"].verdict) == (None, None, None)
    many = [one for name in ("fgd", "mgd", "cwd") for one in finals(run, name, name, [0.31, 0.34, 0.34])]
    rows = {row.method: row for row in build_rows(alone + many)}
    # Four in the family: 4 x 0.0131 = 0.0523.
    assert rows["defeat"].p_holm == pytest.approx(4 * 0.013072, abs=1e-5)
    assert (rows["defeat"].verdict, rows["defeat"].delta) == ("tie", pytest.approx(0.025))
    assert "p is corrected (Holm)" in table(list(rows.values()))
    assert "Holm" not in table(build_rows(alone))


def test_a_family_is_of_one_baseline_one_split_and_several_seeds(run: MakeRun) -> None:
    """Rows of one seed, of another study with a baseline of its own, of another task, plain training: none counts."""
    runs = [*finals(run, "none", "n", BASE), *finals(run, "defeat", "a", SMALL_WIN)]
    runs += [run("defeat", f"s{i}", best=0.3) for i in range(4)] + finals(run, "none", "m", [0.1, 0.2, 0.1])
    elsewhere = {"study": "second"}
    runs += finals(run, "none", "n", BASE, **elsewhere) + finals(run, "fgd", "f", [0.31, 0.34, 0.34], **elsewhere)
    runs += finals(run, "none", "n", BASE, task="voc") + finals(run, "fgd", "f", [0.31, 0.34, 0.34], task="voc")
    (row,) = [row for row in build_rows(runs) if row.method == "defeat" and row.split == "report"]
    assert row.p_holm == row.p_value
    assert row.verdict == "better"


def test_two_studies_that_share_a_baseline_are_one_family(run: MakeRun) -> None:
    base = finals(run, "none", "n", BASE, study="plain")
    own = [*finals(run, "defeat", "a", SMALL_WIN, study="one"), *finals(run, "fgd", "f", SMALL_WIN, study="two")]
    rows = build_rows(base + own, studies=["one", "two"])
    assert [row.p_holm for row in rows] == [pytest.approx(2 * 0.013072, abs=1e-5)] * 2
    (row,) = build_rows(base + own, studies=["one"])
    assert row.p_holm == row.p_value


def test_a_planted_tie_prints_as_a_tie_and_a_planted_win_as_a_win(run: MakeRun) -> None:
    runs = [
        *finals(run, "none", "n", [0.300, 0.320, 0.310]),
        *finals(run, "cwd", "t", [0.305, 0.316, 0.312]),
        *finals(run, "defeat", "w", [0.351, 0.370, 0.362]),
        *finals(run, "fgd", "l", [0.251, 0.270, 0.262]),
    ]
    words = [line.split() for line in table(build_rows(runs)).splitlines()]
    printed = {word[1]: [w for w in word if w in ("better", "tie", "worse")] for word in words if word[0].isdigit()}
    assert printed == {"defeat": ["better"], "none": [], "cwd": ["tie"], "fgd": ["worse"]}


def test_costs_of_the_run_of_its_search_and_of_its_teacher(run: MakeRun) -> None:
    figures = {"cost/device_hours": 3.0}
    teacher = run("none", "", best=0.62, kind="teacher", study=None, trial=None, metrics=figures)
    runs = [
        run("none", "n", best=0.2, hours=0.5),
        run("defeat", "a", best=0.3, hours=1.0),
        run("defeat", "b", hours=0.25, end="pruned"),
        run("defeat", "c", hours=0.125, end="failed"),
        run("defeat", "e", hours=0.0625, end="lost"),
        run("defeat", "d", end="infeasible"),
        *finals(run, "defeat", "a", [0.3, 0.31], hours=2.0, metrics={"cost/gflops": 1.5}),
        run("defeat", "z", best=0.3, hours=100.0, study="second"),
        run("lgd", "l", best=0.25, hours=1.0, teacher=None),
        teacher,
    ]
    rows = {(row.method, row.study): row for row in build_rows(runs)}
    row = rows["defeat", "first"]
    # The search's trials however they ended, and both finalists.
    assert row.search_device_hours == 1.0 + 0.25 + 0.125 + 0.0625 + 2 * 2.0
    assert (row.device_hours, row.gflops, row.teacher_device_hours) == (2.0, 1.5, 3.0)
    assert rows["defeat", "second"].gflops is None
    assert rows["none", "first"].teacher_device_hours is None
    assert rows["lgd", "first"].teacher_device_hours is None
    assert [one.teacher_device_hours for one in build_rows(runs[:-1])] == [None] * 4


def test_a_teachers_row_is_nobody_elses_baseline(run: MakeRun) -> None:
    """A suite's table has plain training of both detectors; each is measured by its own."""
    small, large = ({"student.config": name, "metric": "mAP"} for name in ("r50", "r101"))
    runs = [
        run("none", "a", report=0.30, stage="suite", params=small),
        run("none", "b", report=0.40, stage="suite", params=large),
        run("none", "c", report=0.38, stage="suite", params=large),
        run("pkd", "d", report=0.33, stage="suite", params=small),
    ]
    rows = {row.recipe: row for row in build_rows(runs)}
    by_config = {run.config: rows[run.recipe] for run in runs}
    assert by_config["d"].delta == pytest.approx(0.03)
    assert by_config["c"].delta == pytest.approx(-0.02)
    assert [by_config[name].baseline_mean for name in "abcd"] == [0.30, 0.40, 0.40, 0.30]
