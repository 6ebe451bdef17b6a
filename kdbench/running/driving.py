"""Driving a study or a suite to its end on Ray, and leaving everything in order when it is interrupted."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdbench.errors import RunError
from kdbench.planning.numbers import trials_at_once
from kdbench.running.listeners import Keeper, Recorder
from kdbench.running.progress import ProgressView
from kdbench.search.trials import MAX_DEATHS, Trials, TrialState


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
            if trial.stage != "teacher" or trial.end != "completed":
                continue
            reason = self.keeper.lost(trial)
            if reason is None:
                self.keeper.on_end(trial)
            else:
                self.view.tell(f"{reason}; {trial.id} is trained again")
                board.reopen(trial)
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
    from kdbench.running.cluster import ray_session
    from kdbench.running.tuning import MemoryLow, run_board

    room, interruption = _Room(board, crew.view), Interruption()
    try:
        going = True
        while going and not board.done:
            # Ray sets signal handlers of its own when it starts, so ours come after it.
            with ray_session(address, board.resources) as available, interruption.caught():
                concurrent = room.limit(trials_at_once(board.resources, processes, available))
                if room.most is None:
                    crew.view.start(board)
                folder = board.folder / "ray" / f"attempt-{_next_attempt(board.folder)}"
                try:
                    run_board(board, payload, concurrent=concurrent, folder=folder, interrupted=interruption.__bool__)
                    going = False
                except MemoryLow:
                    room.ran_out(concurrent)
    except KeyboardInterrupt:
        for trial in board.trials.values():
            if trial.running:
                crew.recorder.tracker.interrupt(crew.recorder.key(trial))
        on_interrupt()
        raise Interrupted(f"stopped; nothing is lost. Go on with: kdbench resume {board.name}") from None
    finally:
        crew.view.stop()


class _Room:
    """Memory for trials: where it ran low there are fewer at once, and one that is killed even alone is lost in the end."""

    def __init__(self, board: Trials, view: ProgressView) -> None:
        self.board, self.view = board, view
        self.most: int | None = None
        self.kills: Counter[str] = Counter()

    def limit(self, concurrent: int) -> int:
        """How many trials at once, of so many for which there are devices."""
        return concurrent if self.most is None else min(concurrent, self.most)

    def ran_out(self, concurrent: int) -> None:
        """Ray killed a worker while this many were running."""
        self.most = max(1, concurrent - 1)
        further = f"going on with {self.most} at a time" if concurrent > 1 else "it starts again at its last epoch"
        self.view.tell(f"memory ran low and Ray killed a trial's worker; {further}")
        for trial in self.board.abandon():
            self.kills[trial.id] += concurrent == 1
            if self.kills[trial.id] > MAX_DEATHS:
                why = f"its process was killed {self.kills[trial.id]} times because the machine's memory ran low"
                self.board.end(trial, "lost", why, {})


def _next_attempt(folder: Path) -> int:
    return 1 + sum(1 for _ in (folder / "ray").glob("attempt-*"))


class Interruption:
    """Ctrl-C, and SIGTERM like it: raised at once, and remembered, for code that is not ours may swallow an exception."""

    def __init__(self) -> None:
        self.came = False

    def __bool__(self) -> bool:
        return self.came

    def __call__(self, _signal: int, _frame: Any) -> None:
        self.came = True
        raise KeyboardInterrupt

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catches the signals in the block."""
        try:
            before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread, in a notebook's worker say
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was set in C
