"""Hints that close an error's line."""

from __future__ import annotations

from kdbench.errors import MOST_NAMES, did_you_mean


def test_the_nearest_or_all_or_the_first_of_many() -> None:
    assert did_you_mean("defaet", ["none", "defeat"]) == "did you mean 'defeat'?"
    assert did_you_mean("x", ["none", "defeat"]) == "known: defeat, none"
    assert did_you_mean("x", []) == "none are known"
    many = [f"trial-{number:03d}" for number in range(MOST_NAMES + 5)]
    assert did_you_mean("x", many).endswith(f"{many[MOST_NAMES - 1]} and 5 more")
