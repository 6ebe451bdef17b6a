"""Limits that commands and requests share; light, so that a command's --help needs nothing else."""

from __future__ import annotations

MAX_BAD = 0.01
"""The share of a dataset's images that may be unreadable, unless --max-bad says otherwise."""
