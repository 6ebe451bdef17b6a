"""What a method costs beyond plain training, and what its paper claims of that."""

from __future__ import annotations

from collections.abc import Sequence

from kdbench.leaderboard.configs import Config
from kdbench.leaderboard.row import Row
from kdbench.specs.published import CostClaim, find_cost_claim
from kdbench.specs.study import BASELINE


def taught(config: Config) -> bool:
    """Whether a configuration learnt from a teacher.

    The tag of a run names the teacher that it is compared with, which its method need not use: its recipe says that.
    """
    first = config.first
    return config.method != BASELINE and first.teacher is not None and first.params.get("teacher") != "none"


def extra_hours(own: float | None, teacher: float | None, baseline: float | None) -> float | None:
    """Device-hours beyond plain training; None where one of them is unknown.

    Args:
        own: of one run.
        teacher: of the training of its teacher; 0 without one.
        baseline: of one run of plain training.

    Example:
        >>> extra_hours(1.0, 2.0, 0.5)
        2.5
    """
    if own is None or teacher is None or baseline is None:
        return None
    return own + teacher - baseline


def claim_of(row: Row) -> CostClaim | None:
    """The published claim on cost that a row stands beside."""
    return find_cost_claim(row.published_id) if row.published_id else None


def beside_claim(row: Row, rows: Sequence[Row]) -> Row:
    """The row with what it saves against its claim's other method, as far as that is among `rows` of the same study."""
    claim = claim_of(row)
    if claim is None:
        return row
    other = _other(row, claim, rows)
    above = other.extra_device_hours if other is not None else None
    own = row.extra_device_hours
    saved = 1 - own / above if own is not None and above is not None and above > 0 else None
    return row.model_copy(update={"extra_saved": saved, "published_extra_saved": claim.saved})


def cost_notes(rows: Sequence[Row]) -> list[str]:
    """A line for each row with a claim: what was measured beside what is printed, or why there is nothing to compare."""
    notes = []
    for row in rows:
        claim = claim_of(row)
        if claim is None:
            continue
        printed = f"published: {_less(claim.saved)} ({row.published_id}, {claim.source})"
        other = _other(row, claim, rows)
        if row.extra_saved is None or other is None:
            lacking = f"its extra device-hours and those of a row of {claim.less_than} are not both known here"
            notes.append(f"cost of {row.method} against {claim.less_than}: {lacking}; {printed}")
            continue
        measured = f"{row.extra_device_hours:.3g} device-hours beyond plain training, {_less(row.extra_saved)} than"
        notes.append(f"cost of {row.method}: {measured} {other.method}'s {other.extra_device_hours:.3g}; {printed}")
    return notes


def _other(row: Row, claim: CostClaim, rows: Sequence[Row]) -> Row | None:
    """The best row of the claim's other method in the same study."""
    place = (row.task, row.study, claim.less_than)
    near = [one for one in rows if (one.task, one.study, one.method) == place and one.extra_device_hours is not None]
    return min(near, key=lambda one: one.rank, default=None)


def _less(share: float) -> str:
    return f"{share:.0%} less" if share >= 0 else f"{-share:.0%} more"
