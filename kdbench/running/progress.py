"""Progress of a study on the terminal: one compact line that is redrawn, or one line an event where output is a file."""

from __future__ import annotations

import sys
import time
from collections import Counter

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from kdbench.running.arms_view import arms_table, budget_text
from kdbench.search.board import Board
from kdbench.search.trials import Listener, Trials, TrialState

STATES = ("completed", "pruned", "infeasible", "failed", "lost")


class ProgressView(Listener):
    """Trials by state, best so far and its difference to the baseline, time left. Goes to stderr."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr, markup=False, emoji=False)  # names and reasons are no markup
        self.board: Trials | None = None
        self.began = time.monotonic()
        self.epochs_at_start = 0
        self.live: Live | None = None

    def start(self, board: Trials) -> None:
        self.board = board
        self.epochs_at_start = self._work()[0]
        text = f"study {board.name}: {board.headline()}, {board.expected()[0]} trials, in {board.folder}"
        self.console.print(text, highlight=False, soft_wrap=True)
        if self.console.is_terminal:
            self.live = Live(get_renderable=self.view, console=self.console, refresh_per_second=2)
            self.live.start()

    def stop(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def on_report(self, trial: TrialState, epoch: int) -> None:
        last = trial.recipe.schedule.epochs
        self._say(f"{trial.id}: epoch {epoch}/{last}, {trial.recipe.metric} {trial.reports[epoch][0]:.3f}", quiet=True)

    def on_end(self, trial: TrialState) -> None:
        metric = trial.recipe.metric
        value = trial.best if trial.best is not None else trial.summary.get(f"best/{metric}")  # none was reported
        best = f" {metric} {value:.3f}" if value is not None else ""
        why = f": {trial.reason}" if trial.reason else ""
        self._say(f"{trial.id} {trial.end}{best}{why}")

    def on_note(self, trial: TrialState, text: str) -> None:
        self.console.print(f"{trial.id}: {text}", highlight=False, soft_wrap=True)

    def on_news(self, text: str) -> None:
        self._say(text)

    def view(self) -> RenderableType:
        """What is redrawn: the arms of a search over several, and the line."""
        line = Text(self.line())
        if isinstance(self.board, Board) and len(self.board.plan.arms) > 1:
            return Group(arms_table(self.board), line)
        return line

    def line(self) -> str:
        """The compact view."""
        board = self.board
        assert board is not None
        counts = Counter(t.end for t in board.trials.values() if t.end)
        running = sum(1 for t in board.trials.values() if t.running)
        total = board.expected()[0]
        parts = [f"{sum(counts.values())}/{total} trials"]
        parts += [f"{counts[state]} {state}" for state in STATES if counts[state] and state != "completed"]
        parts.append(f"{running} running")
        news = board.news()
        parts += [news] if news else []
        spent = budget_text(board) if isinstance(board, Board) else None
        parts += [spent] if spent else []
        left = self._left()
        if left:
            parts.append(f"about {left} left")
        return " | ".join(parts)

    def tell(self, text: str) -> None:
        """A line of its own."""
        if self.board is None:
            self.console.print(text, highlight=False, soft_wrap=True)
        else:
            self._say(text)

    def _say(self, text: str, quiet: bool = False) -> None:
        stamp = time.strftime("%H:%M:%S")
        if self.live is not None:
            if not quiet:
                self.console.print(f"{stamp} {text}", highlight=False)
        elif quiet:
            self.console.print(f"{stamp} {text}", highlight=False, soft_wrap=True)
        else:
            self.console.print(f"{stamp} {text} | {self.line()}", highlight=False, soft_wrap=True)

    def _work(self) -> tuple[int, int]:
        """Epochs done (an ended trial counts as whole), and in all."""
        assert self.board is not None
        trials = self.board.trials.values()
        done = sum(t.epochs if t.end else len(t.reports) for t in trials)
        return done, self.board.expected()[1]

    def _left(self) -> str | None:
        done, total = self._work()
        fresh = done - self.epochs_at_start
        if fresh < 2 or done >= total:
            return None
        seconds = (time.monotonic() - self.began) / fresh * (total - done)
        return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{max(1, round(seconds / 60))} min"
