"""The storage folder: everything that kdbench writes lies in it."""

from __future__ import annotations

import os
from pathlib import Path

from kdbench.errors import InputError


def storage_folder(given: str | Path | None = None) -> Path:
    """The storage folder, absolute: `given`, else the environment's KDBENCH_HOME, else ./kdbench-runs.

    Raises:
        InputError: it is a URI, or a file.
    """
    text = str(given or os.environ.get("KDBENCH_HOME") or "kdbench-runs")
    if "://" in text:
        raise InputError(
            f"--storage {text}: a folder is needed, on a path that all nodes share; URIs are not supported yet"
        )
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise InputError(f"--storage {path}: is a file; give a folder")
    return path
