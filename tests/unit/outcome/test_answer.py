"""The sentence at the end of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.outcome.answer import Teacher, answer, seeds_to_show
from kdbench.search.board import Board
from tests.unit.search.plans import several
from tests.unit.search.playing import Formula, open_board, played

HEIGHTS = {"defeat": 0.30, "fgd": 0.40, "pkd": 0.26}


def test_one_seed_proves_nothing(tmp_path: Path) -> None:
    board = played(Formula(HEIGHTS, noise=0.0), several("defeat", "fgd", trials=2), tmp_path)
    text = answer(board, Teacher(search=0.5890105465, hours=1.0))
    # 8 epochs of 1 - exp(-epoch / 2) times 0.4 and 0.2; the teacher's is twice the baseline's and three times as much above.
    assert text.splitlines() == [
        "fgd has the best mAP on the search split of shapes_two_stage, 0.393, +0.196 to the tuned baseline, with one seed "
        "each: nothing is proven; race the finalists with kdbench extend s --seeds 3. It closes 50% of the gap to the "
        "teacher. The search cost 2.40 device-hours; the teacher's training 1.00.",
        "Export the winner: kdbench export s -o DIR",
    ]


def test_a_race_names_the_best_its_ties_and_what_they_cost(tmp_path: Path) -> None:
    heights = {"defeat": 0.3995, "fgd": 0.40, "pkd": 0.30}
    board = played(Formula(heights, noise=0.004), several(*heights, trials=3, seeds=3), tmp_path)
    text = answer(board, Teacher(report=0.50, hours=1.0))
    assert "is best on shapes_two_stage: mAP 0.3" in text
    assert "over 3 seeds on the report split" in text
    assert "to the tuned baseline (better)." in text
    assert text.count("tie") == 1
    assert "ties with it. It closes" in text
    assert "\nThe race: pkd 3 seeds (behind the leader), none 3 seeds (has all 3 seeds), " in text
    assert "% of the gap to the teacher. The search cost 12.80 device-hours; the teacher's training 1.00." in text


def test_where_nothing_is_proven_it_says_what_would(tmp_path: Path) -> None:
    board = played(Formula({"defeat": 0.201}, noise=0.004), several("defeat", trials=1, seeds=3), tmp_path)
    text = answer(board)
    # Its own height is above the baseline's by a thousandth; the noise of these seeds turns them round.
    assert text.startswith(
        "Nothing is proven: no method is ahead of the baseline; the nearest is defeat on shapes_two_stage"
    )
    assert "kdbench extend s --seeds " in text or "by any number of seeds" in text


def test_what_was_dropped_and_what_the_rungs_were_worth(tmp_path: Path) -> None:
    plan = several(*HEIGHTS, trials=12, allocate="halving", scheduler="promote")
    lines = answer(played(Formula(HEIGHTS), plan, tmp_path)).splitlines()
    assert lines[1] == "Export the winner: kdbench export s -o DIR"
    assert [line for line in lines if line.startswith("pkd is dropped after round 1: best 0.2")]
    assert "stopping early can" in lines[-1] or "Can stopping early be trusted" in lines[-1]


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_baseline_that_nobody_beats_is_said(tmp_path: Path, seeds: int) -> None:
    board = played(Formula({"defeat": 0.19}, noise=0.0001), several("defeat", trials=1, seeds=seeds), tmp_path)
    text = answer(board, Teacher(report=0.5, search=0.5))
    words = "no method is ahead of the baseline; the nearest is defeat on shapes_two_stage: mAP 0.17"
    if seeds == 1:
        words = "No method is ahead of the tuned baseline on the search split of shapes_two_stage: the nearest, defeat, has mAP 0.18"
    assert words in text
    assert "It closes nothing of the gap to the teacher." in text


def test_a_study_without_methods_or_figures_has_nothing_to_say(tmp_path: Path) -> None:
    board: Board = open_board(several("defeat", trials=1), tmp_path)
    assert answer(board) == ""


@pytest.mark.parametrize(
    ("difference", "deviation", "seeds"),
    [(0.02, 0.01, 5), (0.01, 0.01, 10), (0.1, 0.0, 2), (0.0, 0.01, None), (0.0001, 0.01, None)],
)
def test_seeds_that_would_show_a_difference(difference: float, deviation: float, seeds: int | None) -> None:
    """Of a paired t-test; 5 and 10 are those of tables for 5 % (two-sided), power 80 %, effects 2 and 1."""
    assert seeds_to_show(difference, deviation) == seeds
