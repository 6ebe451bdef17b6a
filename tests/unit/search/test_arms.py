"""Several arms on one board: alternation, rounds, waiting and promotion, the race, budgets, and kills at every moment."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest

from kdbench.search.arms.budget import spent
from kdbench.search.board import Board
from kdbench.search.ledger import FILE
from kdbench.specs.study import StudyPlan
from tests.unit.search.plans import several
from tests.unit.search.playing import HOURS, Formula, Killed, open_board, picture, played

HEIGHTS = {"defeat": 0.30, "fgd": 0.34, "pkd": 0.26, "mgd": 0.32}


def counts(board: Board) -> dict[str, int]:
    return {arm: len(board.rounds.of(arm)) for arm in board.plan.names()}


def test_arms_alternate_and_share_equally(tmp_path: Path) -> None:
    board = played(Formula(HEIGHTS), several("defeat", "fgd", trials=5), tmp_path)
    order = [t.arm for t in board.trials.values() if t.stage == "search"]
    assert order == ["none", "defeat", "fgd", "defeat", "fgd", "defeat"]
    assert board.done
    assert {t.proposal["weight"] for t in board.trials.values() if t.number == 0 and t.arm in HEIGHTS} == {1.0}


def test_halving_drops_the_worse_half_after_each_round(tmp_path: Path) -> None:
    plan = several(*HEIGHTS, trials=16, allocate="halving")
    board = played(Formula(HEIGHTS), plan, tmp_path)
    # Two rounds: 16 / (4 * 2) = 2 of each; then the better two share the other 8.
    assert [r.shares for r in board.rounds.rounds] == [
        {"defeat": 2, "fgd": 2, "pkd": 2, "mgd": 2},
        {"fgd": 4, "mgd": 4},
    ]
    assert set(board.rounds.drops) == {"defeat", "pkd"}
    drop = board.rounds.drops["defeat"]
    assert (drop.round, drop.figure) == (1, board.rounds.figure("defeat"))
    assert drop.cut == pytest.approx(board.trials["mgd-000"].best, abs=0.003)
    assert counts(board) == {"none": 1, "defeat": 2, "fgd": 6, "pkd": 2, "mgd": 6}


def test_an_arm_within_the_noise_of_the_cut_stays(tmp_path: Path) -> None:
    heights = {"defeat": 0.30, "fgd": 0.3005, "pkd": 0.26, "mgd": 0.32}
    plan = several(*heights, trials=16, allocate="halving", noise=0.005)
    board = played(Formula(heights, noise=0.0), plan, tmp_path)
    assert set(board.rounds.drops) == {"pkd"}


@pytest.mark.parametrize("trials", [3, 4, 7])
def test_fewer_trials_than_halving_needs_are_spent_all_the_same(tmp_path: Path, trials: int) -> None:
    board = played(Formula(HEIGHTS), several(*HEIGHTS, trials=trials, allocate="halving"), tmp_path)
    assert sum(counts(board).values()) == trials + 1
    assert board.done


def test_waiting_trials_are_promoted_and_end_as_pruned(tmp_path: Path) -> None:
    formula = Formula(HEIGHTS, best={"defeat": 3.0})
    board = played(formula, several("defeat", trials=9, scheduler="promote"), tmp_path)
    own = board.rounds.of("defeat")
    assert (own[0].end, sorted(own[0].reports)) == ("completed", list(range(1, 9)))
    pruned = [t for t in own if t.end == "pruned"]
    assert pruned
    assert {t.reason for t in pruned} == {"never promoted"}
    assert all(t.summary["cost/device_hours"] == pytest.approx(HOURS * max(t.reports)) for t in pruned)
    # Rungs at epochs 1 and 3. Nobody trained an epoch twice, and the best of the arm did not end waiting.
    assert {max(t.reports) for t in pruned} <= {1, 3}
    assert len(formula.trained) == len(set(formula.trained))
    best = max(own, key=lambda t: formula.value(t, 8))
    assert best.end == "completed"
    promoted = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines() if '"promote"' in line]
    assert promoted
    assert all(event["epoch"] in (1, 3) for event in promoted)


@pytest.mark.parametrize("scheduler", ["asha", "median", "promote"])
def test_the_baseline_is_never_stopped(tmp_path: Path, scheduler: str) -> None:
    plan = several("defeat", trials=6, scheduler=scheduler)
    task = plan.task.model_copy(
        update={"baseline": plan.task.baseline.model_copy(update={"trials": 5, "search": ("lr",)})}
    )
    board = played(Formula(HEIGHTS), plan.model_copy(update={"task": task}), tmp_path)
    assert [t.end for t in board.rounds.of("none")] == ["completed"] * 5


def test_the_race_gives_seeds_where_the_order_is_open(tmp_path: Path) -> None:
    heights = {"defeat": 0.30, "fgd": 0.40, "pkd": 0.26, "mgd": 0.399}
    plan = several(*heights, trials=8, seeds=6, finalists=3)
    board = played(Formula(heights, noise=0.004), plan, tmp_path)
    finals = {
        arm: sum(1 for t in board.trials.values() if t.stage == "final" and t.arm == arm) for arm in counts(board)
    }
    # defeat is far behind after three seeds; fgd and mgd cannot be told apart, and the baseline goes on with them.
    assert finals == {"none": 6, "defeat": 3, "fgd": 6, "pkd": 0, "mgd": 6}
    stopped = board.finals.standing().stopped
    assert stopped[board.best("defeat").id].reason == "behind the leader"  # type: ignore[union-attr]
    seeds = {t.recipe.seed for t in board.trials.values() if t.stage == "final"}
    assert seeds == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("hours", [4.0, 8.0, 12.0])
def test_device_hours_are_kept(tmp_path: Path, hours: float) -> None:
    plan = several("defeat", "fgd", trials=None, hours=hours, teacher_hours=1.0, baseline_hours=0.8)
    arms = tuple(arm.model_copy(update={"hours": 0.8}) for arm in plan.arms)
    board = played(Formula(HEIGHTS), plan.model_copy(update={"arms": arms}), tmp_path)
    cost = spent(board.trials.values())
    assert hours - 0.8 < cost <= hours  # one more trial did not fit
    assert board.done


def test_finalists_are_kept_hours_for(tmp_path: Path) -> None:
    plan = several("defeat", "fgd", trials=None, hours=14.0, teacher_hours=1.0, baseline_hours=0.8, seeds=3)
    arms = tuple(arm.model_copy(update={"hours": 0.8}) for arm in plan.arms)
    board = played(Formula(HEIGHTS), plan.model_copy(update={"arms": arms}), tmp_path)
    finals = sum(1 for t in board.trials.values() if t.stage == "final")
    # 14 - 1 (teacher) - 9 * 0.8 (finalists) leave 5.8: seven trials of 0.8.
    assert (finals, sum(counts(board).values())) == (9, 7)


def test_patience(tmp_path: Path) -> None:
    board = played(Formula(HEIGHTS, noise=0.0), several("defeat", "fgd", trials=40, patience=3), tmp_path)
    # The published weight is each arm's best, so three further trials of each bring nothing.
    assert counts(board) == {"none": 1, "defeat": 4, "fgd": 4}


PLANS = {
    "promote": several(*HEIGHTS, trials=14, allocate="halving", scheduler="promote", seeds=4),
    "asha": several("defeat", "fgd", trials=9, scheduler="asha", algorithm="optuna"),
    "hours": several("defeat", "fgd", trials=None, hours=9.0, baseline_hours=0.8, scheduler="median"),
}


@pytest.mark.parametrize("name", PLANS)
def test_killed_at_every_moment_is_as_never_killed(tmp_path: Path, name: str) -> None:
    plan = PLANS[name]
    formula = Formula(HEIGHTS, best={"fgd": 2.0, "mgd": 0.3})
    whole = picture(played(formula, plan, tmp_path / "whole"))
    lines = (tmp_path / "whole" / FILE).read_text().count("\n")
    kinds = [json.loads(line)["event"] for line in (tmp_path / "whole" / FILE).read_text().splitlines()]
    assert {kind for kind, _ in groupby(sorted(kinds))} >= (
        {"promote", "drop", "round"} if name == "promote" else set()
    )
    for after in range(0, lines, 7):
        folder = tmp_path / str(after)
        assert picture(_with_kills(plan, folder, [after, after // 2, 3])) == whole


def _with_kills(plan: StudyPlan, folder: Path, kills: list[int]) -> Board:
    """Play with a driver that dies again and again, and each time reads its ledger."""
    formula = Formula(HEIGHTS, best={"fgd": 2.0, "mgd": 0.3})
    for after in kills:
        try:
            board = _resumed(plan, folder, after)
            formula.play(board)
            return board
        except Killed:
            continue
    board = _resumed(plan, folder, None)
    formula.play(board)
    return board


def _resumed(plan: StudyPlan, folder: Path, after: int | None) -> Board:
    folder.mkdir(exist_ok=True)
    ledger = folder / FILE
    ready = ledger.exists() and '"end": "completed", "event": "end"' in ledger.read_text()
    return open_board(plan, folder, after, teacher_ready=ready)
