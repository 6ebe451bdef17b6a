"""Driving a study or a suite to its end on Ray, and leaving everything in order when it is interrupted."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdbench.errors import RunError
from kdbench.search.listeners import Keeper, Recorder
from kdbench.search.progress import ProgressView
from kdbench.search.trials import Trials, TrialState


class Interrupted(RunError):
    """The user ended the search; the study can be resumed."""

    exit_code = 130


class Crew:
    """The listeners of one run: MLflow, the teacher store, the terminal."""

    def __init__(self, tracker: Any, storage: Path, recorder: type[Recorder] = Recorder) -> None:
        self.recorder, self.keeper, self.view = recorder(tracker), Keeper(storage), ProgressView()
        self.listeners = [self.keeper, self.recorder, self.view]

    def join(self, board: Trials, retry: tuple[str, ...]) -> None:
        """Take a board that has read its ledger: catch up in MLflow, and finish what a kill cut off."""
        self.recorder.board = self.keeper.board = self.view.board = board
        self.recorder.catch_up()
        board.settle()
        for trial in board.trials.values():
            if trial.stage == "teacher" and trial.end == "completed":
                self.keeper.on_end(trial)
        board.retry(retry)


def drive(
    board: Trials,
    crew: Crew,
    payload: Callable[[TrialState], dict[str, Any]],
    *,
    processes: int,
    address: str | None,
    on_interrupt: Callable[[], None],
) -> None:
    """Run what is left of a board.

    Args:
        payload: trial -> the plain data that its worker needs.
        processes: of the largest trial.
        on_interrupt: closes the books once the trials' runs are closed.

    Raises:
        Interrupted: by the user; nothing is lost.
    """
    if board.done:
        return
    from kdbench.search.cluster import concurrency, ray_session
    from kdbench.search.tuning import run_board

    with _interruption() as interrupted, ray_session(address, board.resources) as available:
        concurrent = concurrency(board.resources, processes, available)
        crew.view.start(board)
        attempt = board.folder / "ray" / f"attempt-{_next_attempt(board.folder)}"
        try:
            run_board(board, payload, concurrent=concurrent, folder=attempt, interrupted=lambda: bool(interrupted))
        except KeyboardInterrupt:
            for trial in board.trials.values():
                if trial.running:
                    crew.recorder.tracker.interrupt(crew.recorder.key(trial))
            on_interrupt()
            raise Interrupted(f"stopped; nothing is lost. Go on with: kdbench resume {board.name}") from None
        finally:
            crew.view.stop()


def _next_attempt(folder: Path) -> int:
    return 1 + sum(1 for _ in (folder / "ray").glob("attempt-*"))


class _Interruption:
    """Ctrl-C, and SIGTERM like it: raised at once, and remembered, for code that is not ours may swallow an exception."""

    def __init__(self) -> None:
        self.came = False

    def __bool__(self) -> bool:
        return self.came

    def __call__(self, _signal: int, _frame: Any) -> None:
        self.came = True
        raise KeyboardInterrupt


@contextmanager
def _interruption() -> Iterator[_Interruption]:
    """Catches the signals in the block; true once one came."""
    handler = _Interruption()
    try:
        before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, in a notebook's worker say
        yield handler
        return
    try:
        yield handler
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
