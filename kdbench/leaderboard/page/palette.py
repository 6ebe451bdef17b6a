"""Colours, symbols and dashes: a method has the same ones in every chart, and never differs by its colour alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kdbench.specs.study import BASELINE

GREY = "#808080"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA3377", "#B8860B", "#4F9FD9", "#7A5195")
"""Okabe and Ito's and Tol's, those that stand out from white and from near black; tellable apart by colour-blind eyes."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star", "triangle-down", "pentagon", "cross", "hexagon")
DASHES = ("solid", "dash", "dashdot", "longdash", "dot")
SEQUENCE = ("#2166ac", "#4f86b8", "#7b97a8", "#948f87", "#b0855a", "#c87a35", "#d9660b")
"""For a figure, from low to high: blue to orange, which all eyes tell apart, and no end fades into either ground."""

ENDS = {
    "completed": ("#009E73", ""),
    "pruned": ("#4F9FD9", "/"),
    "infeasible": ("#B8860B", "x"),
    "failed": ("#D55E00", "\\"),
    "lost": ("#AA3377", "."),
    "not ended": (GREY, "-"),
}
"""Colour and pattern of an end state."""


@dataclass(frozen=True)
class Look:
    """How a method is drawn."""

    colour: str
    symbol: str
    dash: str


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """The looks of the methods of a page; the baseline is grey.

    Example:
        >>> looks(["none", "defeat"])["none"].colour
        '#808080'
    """
    others = sorted(set(methods) - {BASELINE})
    found = {BASELINE: Look(GREY, "circle-open", "solid")}
    for i, name in enumerate(others):
        dash = DASHES[i // len(COLOURS) % len(DASHES)]
        found[name] = Look(COLOURS[i % len(COLOURS)], SYMBOLS[i % len(SYMBOLS)], dash)
    return found
