"""Train, search and report splits of a dataset: those that are given, and cuts from train for the others."""

from __future__ import annotations

from typing import Any

SEARCH, REPORT = 0.15, 0.2
"""Shares of train that are cut for a split that is not given."""


def three_splits(given: dict[str, dict[str, Any]]) -> tuple[dict[str, dict[str, Any]], str]:
    """The splits of a task, and in words where they come from.

    Of a train and one other split, the other one is the report's: a search that looked at it would choose by what it is
    measured by. Without a train split, what there is is cut in three.

    Example:
        >>> three_splits({"train": {"annotations": "a.json"}})[0]["report"]
        {'cut': 0.2}
    """
    if "train" not in given:
        first = next(iter(given))
        given = {"train": given[first]}
    train = given["train"]
    search, report = given.get("search"), given.get("report")
    if search is not None and report is not None:
        return {
            "train": train,
            "search": search,
            "report": report,
        }, "train, search (val) and report (test) as they are given"
    if search is None and report is None:
        cuts = {"search": {"cut": SEARCH}, "report": {"cut": REPORT}}
        return {
            "train": train,
            **cuts,
        }, f"{SEARCH:.0%} of the images are cut for the search and {REPORT:.0%} for the report"
    other, name = (report, "test") if report is not None else (search, "val")
    assert other is not None
    return {"train": train, "search": {"cut": SEARCH}, "report": other}, (
        f"the given {name} split is for the report; {SEARCH:.0%} of train is cut for the search, so that no choice is made by "
        "the images that measure it"
    )
