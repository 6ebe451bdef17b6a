"""What the charts of the page say about planted runs, and that plotly knows every property they use."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kdbench.leaderboard.page.chart import Section, label, log_ticks, plural
from kdbench.leaderboard.page.curves import learning_curves
from kdbench.leaderboard.page.data import Board, View, best_curves, make_board
from kdbench.leaderboard.page.ends import ends
from kdbench.leaderboard.page.hours import best_so_far, metric_by_hours
from kdbench.leaderboard.page.importance import Importance, importance_bars
from kdbench.leaderboard.page.palette import GREY, looks
from kdbench.leaderboard.page.parallel import parallel
from kdbench.leaderboard.page.pareto import front, pareto
from kdbench.leaderboard.page.response import response
from kdbench.leaderboard.page.searched import searches
from kdbench.tracking.reader import Run
from tests.unit.leaderboard.conftest import MakeRun

WEIGHT, DECAY, LR = "method.params.neck_fg_weight", "method.params.decay", "schedule.lr"


def params(**values: str) -> dict[str, str]:
    return {"metric": "mAP", "method.params.norm": "element", **values}


@pytest.fixture
def runs(run: MakeRun, teacher: Run) -> list[Run]:
    """A search of a weight and a choice, one of the learning rate, and what did not get to its end."""
    found = [teacher, run("none", "n", best=0.2, hours=1.0, params=params(**{LR: "0.002"}))]
    found.append(run("none", "m", best=0.1, hours=1.0, params=params(**{LR: "0.001"})))
    for i, (weight, decay, best) in enumerate([("4.0", "none", 0.3), ("30.0", "linear", 0.2), ("0.3", "none", 0.4)]):
        values = params(**{WEIGHT: weight, DECAY: decay})
        found.append(run("defeat", f"d{i}", best=best, hours=2.0, params=values, metrics={"sec_per_iter": 0.1 * i}))
    lost = params(**{WEIGHT: "9.0", DECAY: "linear"})
    found.append(run("defeat", "e", hours=0.5, params=lost, end="pruned", metrics={"best/mAP": 0.9}))
    found.append(run("defeat", "f", params=lost, end="failed", reason="no\n  disk"))
    return found


@pytest.fixture
def board(runs: list[Run]) -> Board:
    board = make_board(runs)
    histories = {trial.run_id: [(1, 0.1), (2, 0.2)] for trial in board.trials if trial.end == "completed"}
    return dataclasses.replace(board, histories=histories)


@pytest.fixture
def view(board: Board) -> View:
    (view,) = board.views()
    return view


def sections(view: View, board: Board) -> list[Section]:
    own = looks(view.methods)
    shares = {("first", "defeat", "mAP"): Importance({"neck_fg_weight": 0.7, "decay": 0.3}, 8)}
    return [
        learning_curves(view, board.histories, own),
        metric_by_hours(view, own),
        pareto(view, own),
        response(view, own),
        parallel(view),
        importance_bars(view, shares, own),
        ends(view),
    ]


def test_plotly_knows_every_property(view: View, board: Board) -> None:
    import plotly.graph_objects as go

    charts = [chart for section in sections(view, board) for chart in section.charts]
    assert len(charts) == 9
    for chart in charts:
        go.Figure(chart.figure)  # refuses unknown names and values
        assert chart.alt.endswith(".")
        assert chart.figure["layout"]["height"] == chart.height


def test_a_method_has_one_colour_and_the_baseline_is_grey(view: View, board: Board) -> None:
    curves, hours = sections(view, board)[:2]
    for section in (curves, hours):
        colours = {trace["name"]: trace["line"]["color"] for trace in section.charts[0].figure["data"]}
        assert colours == {"none (baseline)": GREY, "defeat": looks(["defeat"])["defeat"].colour}
    many = looks(f"m{i:02d}" for i in range(20))
    assert len({(look.colour, look.symbol, look.dash) for look in many.values()}) == 21


def test_learning_curves(view: View, board: Board) -> None:
    chart = sections(view, board)[0].charts[0]
    plain, distilled = chart.figure["data"]
    assert plain["x"] == [1, 2, None] * 2
    assert distilled["y"] == [0.1, 0.2, None] * 3
    assert [note["text"] for note in chart.figure["layout"]["annotations"]] == ["teacher 0.620"]
    empty = learning_curves(view, {}, looks(view.methods))
    assert (empty.charts, empty.gaps) == ([], ["no trial has reported an epoch yet"])


def test_the_best_so_far_counts_every_trials_hours(view: View) -> None:
    path = best_so_far(view, "first", "defeat")
    assert path is not None
    assert [(hours, best) for hours, best, _ in path.points] == [(2.0, 0.3), (4.0, 0.3), (6.0, 0.4)]
    assert best_so_far(view, "first", "cwd") is None


def test_the_best_so_far_is_in_the_order_of_the_ends(run: MakeRun) -> None:
    late = run("none", "a", best=0.5, hours=1.0, end_time=9.0)
    (view,) = make_board([late, run("none", "b", best=0.3, hours=3.0, end_time=2.0)]).views()
    path = best_so_far(view, "first", "none")
    assert path is not None
    assert [(hours, best) for hours, best, _ in path.points] == [(3.0, 0.3), (4.0, 0.5)]


def test_the_best_may_be_the_lowest(run: MakeRun) -> None:
    made = [
        run("none", c, metrics={"best/mMR": v}, hours=1.0, params={"metric": "mMR"})
        for c, v in (("a", 0.4), ("b", 0.6), ("c", 0.3))
    ]
    (view,) = make_board(made).views()
    path = best_so_far(view, "first", "none")
    assert path is not None
    assert [best for _, best, _ in path.points] == [0.4, 0.4, 0.3]
    assert (
        "lower is better" in metric_by_hours(view, looks(["none"])).charts[0].figure["layout"]["yaxis"]["title"]["text"]
    )


def test_the_front() -> None:
    assert front([(2.0, 0.1), (1.0, 0.2), (3.0, 0.4), (3.0, 0.3), (4.0, 0.4)]) == [(1.0, 0.2), (3.0, 0.4)]
    assert front([]) == []


def test_pareto_shows_the_costs_that_differ(view: View) -> None:
    assert [chart.title for chart in pareto(view, looks(view.methods)).charts] == ["device-hours of a run (h)"]
    rows = [row.model_copy(update={"params_m": float(row.rank)}) for row in view.rows]
    section = pareto(dataclasses.replace(view, rows=rows), looks(view.methods))
    assert [chart.title for chart in section.charts][1:] == ["parameters of the student (millions)"]
    single = dataclasses.replace(view, rows=rows[:1])
    assert "fewer than two rows" in pareto(single, looks(view.methods)).gaps[0]


def test_what_was_searched_and_on_which_scale(view: View) -> None:
    found = {search.method: search for search in searches(view.trials)}
    assert [(param.name, param.scale) for param in found["defeat"].params] == [
        ("neck_fg_weight", "log"),  # by the shipped space
        ("decay", "choice"),
    ]
    assert [(param.name, param.scale) for param in found["none"].params] == [("lr", "log")]
    assert found["defeat"].values(found["defeat"].params[0]) == [4.0, 30.0, 0.3]
    assert found["defeat"].figures() == [0.3, 0.2, 0.4]


def test_an_unknown_methods_scales_are_guessed(run: MakeRun) -> None:
    values = [("1", "1", "true"), ("2", "50", "false")]
    keys = ("method.params.near", "method.params.far", "method.params.switch")
    made = [
        run("mimic", str(i), best=0.1, params=params(**dict(zip(keys, v, strict=True)))) for i, v in enumerate(values)
    ]
    (search,) = searches(made)
    assert [(param.name, param.scale) for param in search.params] == [
        ("near", "linear"),
        ("far", "log"),
        ("switch", "choice"),
    ]


def test_repeated_seeds_are_no_search(run: MakeRun) -> None:
    made = [run("defeat", "a", seed, best=0.3, report=0.3, params=params(**{WEIGHT: str(seed)})) for seed in range(3)]
    assert searches(made) == []


def test_response(view: View) -> None:
    section = response(view, looks(view.methods))
    assert [chart.title for chart in section.charts] == ["none: lr", "defeat: neck_fg_weight", "defeat: decay"]
    weight, decay = (chart.figure for chart in section.charts[1:])
    assert weight["layout"]["xaxis"]["type"] == "log"
    assert weight["data"][0]["x"] == [4.0, 30.0, 0.3]
    assert weight["data"][1]["x"] == [0.3]  # the ring is round the best
    assert decay["layout"]["xaxis"]["type"] == "category"
    assert len(decay["data"]) == 2  # too few for a box


def test_response_with_a_zero_and_with_boxes(run: MakeRun) -> None:
    values = [("0", "none"), ("0.1", "none"), ("8", "none"), ("2", "linear")] + [("1", "none"), ("3", "linear")] * 5
    made = [
        run("defeat", str(i), best=0.1 * i, params=params(**{WEIGHT: w, DECAY: d})) for i, (w, d) in enumerate(values)
    ]
    (view,) = make_board(made).views()
    weight, decay = (chart.figure for chart in response(view, looks(view.methods)).charts)
    assert weight["layout"]["xaxis"]["ticktext"][0] == "0"
    assert weight["data"][0]["x"][0] == weight["layout"]["xaxis"]["tickvals"][0] > 0
    assert weight["data"][0]["customdata"][0] == 0.0
    assert [trace["type"] for trace in decay["data"]] == ["box", "scatter", "scatter"]


def test_parallel(view: View) -> None:
    section = parallel(view)
    assert section.gaps == ["none, study first: 1 parameter varied; two axes are the least"]
    (chart,) = section.charts
    lines = {trace["name"]: trace["y"] for trace in chart.figure["data"][:-1]}
    assert len(lines) == 3
    worst, best = lines.values().__iter__(), list(lines.values())[-1]
    assert next(worst)[-1] == 0.0
    assert best == [0.0, 1.0, 1.0]  # the smallest weight, `none` after `linear`, the highest figure


def test_importance_says_why_there_is_none(view: View) -> None:
    known = {("first", "none", "mAP"): Importance(trials=2, reason="needs 4 completed trials, has 2")}
    section = importance_bars(view, known, looks(view.methods))
    assert section.charts == []
    assert section.gaps == [
        "none, study first: needs 4 completed trials, has 2",
        "defeat, study first: not computed for this page",
    ]


def test_ends(view: View) -> None:
    section = ends(view)
    assert [(line[2], line[3]) for line in section.lines] == [("pruned", ""), ("failed", "no disk")]
    bars = {trace["name"]: trace["x"] for trace in section.charts[0].figure["data"]}
    assert bars == {"completed": [2, 3], "pruned": [0, 1], "failed": [0, 1]}


def test_no_method_is_crowded_out_of_the_curves(run: MakeRun) -> None:
    made = [run("defeat", str(i), best=i / 100) for i in range(50)] + [run("none", "n", best=0.001)]
    kept = best_curves(made, 10)
    assert len(kept) == 10
    assert kept[-1].method == "none"
    assert {round(kept_run.metrics["best/mAP"] * 100) for kept_run in kept[:-1]} == set(range(41, 50))
    assert best_curves(made, 100) == made


def test_runs_with_two_metrics_are_two_views(run: MakeRun) -> None:
    made = [run("none", "a", best=0.3), run("none", "b", metrics={"best/mMR": 0.5}, params={"metric": "mMR"})]
    assert [view.name for view in make_board(made).views()] == ["shapes, mAP", "shapes, mMR"]


def test_baselines_of_other_studies_are_compared_with_and_not_shown(run: MakeRun) -> None:
    board = make_board([run("none", "n", best=0.2, study="other"), run("defeat", "d", best=0.3)], ["first"])
    assert [(row.method, row.baseline_mean) for row in board.rows] == [("defeat", 0.2)]
    assert [trial.method for trial in board.trials] == ["defeat"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.4, 3, ["0.5", "1", "2"]), (1, 1000, ["1", "10", "100", "1e+03"]), (1.2, 1.3, ["1.2", "1.3"])],
)
def test_log_ticks(low: float, high: float, ticks: list[str]) -> None:
    made: dict[str, Any] = log_ticks(low, high)
    assert made["ticktext"] == ticks
    assert len(made["tickvals"]) == len(ticks)


def test_words() -> None:
    assert [plural(1, "study"), plural(2, "study"), plural(2, "trial")] == ["1 study", "2 studies", "2 trials"]
    assert [label("none"), label("cwd")] == ["none (baseline)", "cwd"]


def test_searches_without_a_chart_for_the_same_reason_share_a_line(run: MakeRun) -> None:
    trials = [run(method, f"{method}-0", best=0.2, params=params()) for method in ("pkd", "cwd")]
    (suite,) = make_board(trials).views()
    assert parallel(suite).gaps == ["pkd, cwd, study first: 0 parameters varied; two axes are the least"]
    assert response(suite, looks(suite.methods)).gaps == [
        "pkd, cwd, study first: no parameter was varied (1 completed trial)"
    ]
