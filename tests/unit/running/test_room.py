"""Memory that runs low: fewer trials at once, and a trial that is killed even alone is lost in the end."""

from __future__ import annotations

from pathlib import Path

from kdbench.running.driving import _Room
from kdbench.running.progress import ProgressView
from kdbench.search.board import Board
from tests.unit.search.plans import plan


def room(folder: Path) -> tuple[Board, _Room]:
    view = ProgressView()
    board = Board(plan(), folder, teacher_ready=True, listeners=[])
    view.board = board
    return board, _Room(board, view)


def test_fewer_at_once_and_what_ran_is_started_again(tmp_path: Path) -> None:
    board, made = room(tmp_path)
    assert made.limit(3) == 3
    running = [board.next() for _ in range(3)]
    made.ran_out(3)
    assert made.limit(3) == 2
    assert [board.next() for _ in range(3)] == running
    assert all(trial is not None and trial.end is None for trial in running)


def test_killed_alone_again_and_again_is_lost_and_the_next_one_runs(tmp_path: Path) -> None:
    board, made = room(tmp_path)
    first = board.next()
    assert first is not None
    made.ran_out(2)  # the other one may have been the big one
    for kills in range(1, 5):
        assert (board.next(), first.end) == (first, None), kills
        made.ran_out(1)
    assert first.end == "lost"
    assert first.reason == "its process was killed 4 times because the machine's memory ran low"
    following = board.next()
    assert following is not None
    assert following.id == "none-001"
