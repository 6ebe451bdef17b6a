"""The storage folder: everything that kdbench writes lies in it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kdbench.errors import InputError, brief

ROOM = 64 * 1024
"""Bytes that the folder must have room for at least: a plan and the first lines of a ledger."""


def storage_folder(given: str | Path | None = None) -> Path:
    """The storage folder, absolute: `given`, else the environment's KDBENCH_HOME, else ./kdbench-runs.

    Raises:
        InputError: it is a URI, or a file, or no name that a folder can have.
    """
    text = str(given or os.environ.get("KDBENCH_HOME") or "kdbench-runs")
    if "://" in text:
        raise InputError(
            f"--storage {brief(text)[1:-1]}: a folder is needed, on a path that all nodes share; URIs are not supported yet"
        )
    try:
        path = Path(text).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise InputError(f"--storage {path}: is a file; give a folder")
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a home that nobody has
        raise _refused(text, error, "cannot be a folder") from None
    return path


def writable(storage: Path) -> None:
    """Make the folder, and see that files can be written there, before anything else is done.

    Raises:
        InputError: it cannot be made or written, or has no room.
    """
    try:
        storage.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=".probe-", dir=storage) as probe:
            probe.write(b"\0" * ROOM)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise _refused(str(storage), error, "cannot be written") from None


def _refused(text: str, error: Exception, what: str) -> InputError:
    why = getattr(error, "strerror", None) or str(error)
    return InputError(f"--storage {brief(text, 200)[1:-1]}: {what} ({why}); give another folder")
