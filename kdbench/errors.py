"""The errors that a user can meet, and the exit code each one means.

Every message says what is wrong, where, and what to do, in one line.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


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


FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when there is no room."""


def of_the_system(error: OSError, place: object = None) -> str:
    """A disk or a network that does not do its part, in a line: that is no bug of ours.

    Args:
        place: where it was, if the error does not say.
    """
    where = error.filename or place
    if error.errno in FULL:
        return f"no space left on {where or 'the disk'}; make room there, or give another --storage"
    return f"{f'{where}: ' if where else ''}{(error.strerror or str(error)).lower()}"


@contextmanager
def room_in(place: object) -> Iterator[None]:
    """Let a full disk be named: writing into an open file fails without the file's name."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL and not error.filename:
            error.filename = str(place)
        raise


LONGEST_VALUE = 60
"""Characters of a user's own value in a message."""
MOST_NAMES = 8
"""How many known names a hint lists; of more it shows the nearest."""
NEAREST = 3


def brief(value: object, length: int = LONGEST_VALUE) -> str:
    """A value as a message shows it: quoted as Python does, control characters as `\\x1b`, and cut.

    Example:
        >>> brief("x" * 300)[-5:]
        "x...'"
    """
    text = repr(value)
    if len(text) <= length + 2:
        return text
    return f"{text[:length]}...{text[-1] if isinstance(value, str) else ''}"


def printable(text: str) -> str:
    """`text` with control characters written out, so that what a store or a file holds cannot steer a terminal.

    Example:
        >>> printable("a\\x1b[31mb")
        'a\\\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _written_out(character) for character in text)


def _written_out(character: str) -> str:
    return character if character in " \n\t" else character.encode("unicode_escape").decode()


def did_you_mean(name: str, known: Iterable[str], listing: str = "") -> str:
    """A closing hint for an unknown `name`: the nearest known one, and otherwise all of them, or the nearest of many.

    Args:
        listing: the command that lists all of them.

    Example:
        >>> did_you_mean("defaet", ["defeat", "none"])
        "did you mean 'defeat'?"
    """
    known = sorted(known)
    near = difflib.get_close_matches(name[:200], known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if not known:
        return "none are known"
    if len(known) <= MOST_NAMES:
        return f"known: {', '.join(brief(one)[1:-1] for one in known)}"
    nearest = difflib.get_close_matches(name[:200], known, n=NEAREST, cutoff=0.0)
    shown = ", ".join(brief(one)[1:-1] for one in nearest)
    return f"the nearest of {len(known)}: {shown}{f'; all: {listing}' if listing else ''}"
