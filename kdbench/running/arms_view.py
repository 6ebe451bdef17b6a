"""The arms of a study on the terminal: how far each is, its best, and which were dropped. Eighty columns suffice."""

from __future__ import annotations

from rich.table import Table

from kdbench.search.arms.budget import spent
from kdbench.search.board import Board
from kdbench.specs.study import BASELINE

NAME = 24
"""Characters of an arm's name; a longer one is cut."""


def arms_table(board: Board) -> Table:
    """A row for each arm, dropped ones greyed, in the plan's order."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("arm", "trials", "waiting", "best", "to baseline", ""):
        table.add_column(name, justify="left" if name in ("arm", "") else "right", no_wrap=True, max_width=NAME)
    base = board.rounds.figure(BASELINE)
    for arm in board.plan.names():
        own, drop = board.rounds.of(arm), board.rounds.drops.get(arm)
        best = board.rounds.figure(arm)
        shown = "" if best is None else f"{best:.3f}"
        away = "" if best is None or base is None or arm == BASELINE else f"{best - base:+.3f}"
        ended, waiting = sum(1 for t in own if t.end), sum(1 for t in own if t.paused)
        state = f"dropped after round {drop.round}" if drop else ""
        table.add_row(arm, f"{ended}/{len(own)}", str(waiting or ""), shown, away, state, style="dim" if drop else None)
    return table


def budget_text(board: Board) -> str | None:
    """Device-hours spent and left; None without a budget in hours."""
    if board.plan.hours is None:
        return None
    left = max(0.0, board.plan.hours - spent(board.trials.values()))
    return f"{spent(board.trials.values()):.2f} of {board.plan.hours:g} device-hours spent, {left:.2f} left"
