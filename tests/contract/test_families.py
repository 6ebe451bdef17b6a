"""Every family of mmdet's detectors trains, or is refused by the plan with the sentence that docs/detectors.md has."""

from __future__ import annotations

import pytest

from tests.contract.families import METHODS, PAGE, choice, looks, outcome, page, read_table


def test_the_page_is_that_of_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.contract.families --page"


def test_the_table_is_whole_and_nothing_in_it_failed() -> None:
    found = read_table()
    assert set(found) == {(folder, settings, method) for folder, settings in looks() for method in METHODS}
    assert not [row for row, told in found.items() if told.startswith("FAILED") or "\n" in told]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("folder", "settings"), looks(), ids=lambda value: value.split("=")[0])
def test_it_trains_or_is_refused_with_this_sentence(folder: str, settings: str) -> None:
    found = read_table()
    for method in METHODS:
        assert outcome(choice()[folder], settings, method) == found[folder, settings, method]
