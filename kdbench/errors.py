"""The errors that a user can meet, and the exit code each one means.

Every message says what is wrong, where, and what to do, in one line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KDBenchError(Exception):
    """Base of every error that kdbench raises on purpose."""

    exit_code = 1


class InputError(KDBenchError):
    """Wrong input: a key, a file, a name, a number. Exit code 2."""

    exit_code = 2


class RunError(KDBenchError):
    """The input was right, the run itself failed. Exit code 1."""


class Infeasible(KDBenchError):
    """A trial that cannot give a result with these values: NaN, dead, does not fit in memory."""


MOST_NAMES = 20
"""How many a hint lists."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A closing hint for an unknown `name`: the nearest known one, and otherwise all of them, or the first of very many.

    Example:
        >>> did_you_mean("defaet", ["defeat", "none"])
        "did you mean 'defeat'?"
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if not known:
        return "none are known"
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f"known: {', '.join(known[:MOST_NAMES])}{more}"
