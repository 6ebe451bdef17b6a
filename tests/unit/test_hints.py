"""Hints that close an error's line, and values as a message shows them."""

from __future__ import annotations

from kdbench.errors import MOST_NAMES, brief, did_you_mean, printable


def test_the_nearest_or_all_or_the_nearest_of_many() -> None:
    assert did_you_mean("defaet", ["none", "defeat"]) == "did you mean 'defeat'?"
    assert did_you_mean("x", ["none", "defeat"]) == "known: defeat, none"
    assert did_you_mean("x", []) == "none are known"
    many = [f"trial-{number:03d}" for number in range(MOST_NAMES + 5)]
    hint = did_you_mean("y-004", many, "kdbench list trials")
    assert hint.startswith("the nearest of 13: trial-00")
    assert hint.count("trial-") == 3
    assert hint.endswith("; all: kdbench list trials")


def test_a_long_value_is_cut_and_a_hint_stays_short() -> None:
    assert brief("short") == "'short'"
    assert len(brief("x" * 300)) < 70
    assert len(brief([1.0] * 300)) < 70
    names = ["x" * 300, *(f"method{number}" for number in range(40))]
    assert len(did_you_mean("z" * 300, names)) < 300


def test_control_characters_are_written_out() -> None:
    assert brief("a\x1b[31m") == r"'a\x1b[31m'"
    assert printable("a\x1b]2;title\x07b\u202e\n") == "a\\x1b]2;title\\x07b\\u202e\n"
    assert printable("Größe ± 3") == "Größe ± 3"
