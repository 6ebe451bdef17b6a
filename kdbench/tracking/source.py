"""The command that made a run, for MLflow's column Source."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from kdbench.errors import printable
from kdbench.tracking.client import shown

NAME, TYPE = "mlflow.source.name", "mlflow.source.type"
LONGEST = 500


def source_tags() -> dict[str, str]:
    """The command line of this process, without passwords; a script's or notebook's where kdbench was called from one.

    Example:
        >>> source_tags()["mlflow.source.name"]
        'kdbench search defeat --trials 6'
    """
    program, *arguments = sys.argv or [""]
    name = Path(program).name
    if name == "__main__.py":
        name = Path(program).parent.name  # python -m kdbench
    text = " ".join(shlex.quote(shown(one)) for one in (name or "python", *arguments))
    return {NAME: printable(text)[:LONGEST], TYPE: "LOCAL"}
