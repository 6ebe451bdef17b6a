"""Why a study has nothing to show: its trials' ends, grouped by cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from kdbench.errors import RunError
from kdbench.search.trials import TrialState

MOST_CAUSES, LONGEST = 3, 200


def check_completed(what: str, trials: Iterable[TrialState], methods: set[str], folder: object) -> None:
    """See that at least one trial of the methods was completed.

    Args:
        what: the study, as the message begins.
        folder: where the trials' logs lie.

    Raises:
        RunError: none was; with the causes, the most frequent first.
    """
    own = [trial for trial in trials if trial.stage != "teacher" and trial.arm in methods]
    if any(trial.end == "completed" for trial in own):
        return
    named = ", ".join(sorted(methods)[:3]) + (", ..." if len(methods) > 3 else "")
    raise RunError(f"{what}: no trial of {named} was completed: {causes(own) or 'none was started'}; see {folder}")


def causes(trials: Iterable[TrialState]) -> str:
    """The ends of trials with their reasons; what differs in numbers alone is one cause.

    Example:
        >>> causes(board.trials.values())
        '3 failed (out of disk), 1 infeasible (loss became nan at iteration 7)'
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        end, reason = trial.end or "not finished", trial.reason or ""
        groups.setdefault((end, re.sub(r"\d+", "#", reason)), []).append(reason)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    parts = []
    for (end, _), reasons in ranked[:MOST_CAUSES]:
        text = " ".join(reasons[0].split())
        short = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
        parts.append(f"{len(reasons)} {end}" + (f" ({short})" if short else ""))
    rest = Counter(end for (end, _), reasons in ranked[MOST_CAUSES:] for _ in reasons)
    return ", ".join([*parts, *(f"{count} more {end}" for end, count in rest.items())])
