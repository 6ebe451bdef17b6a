"""Suite files: what is refused, and that the shipped ones load and point at published rows."""

from __future__ import annotations

from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.specs import resources
from kdbench.specs.published import find_cost_claim, load_published
from kdbench.specs.suite import GRADES, SuiteSpec, load_suite

SUITES = resources.names("benchmarks/suites")
VALUES: dict[str, Any] = {
    "name": "s",
    "title": "a suite",
    "task": "shapes",
    "methods": ["none", "pkd"],
    "grades": {"smoke": {"title": "quick", "seeds": 1}},
}


def test_the_issues_suites_are_shipped() -> None:
    assert set(SUITES) == {
        *("defeat_voc", "defeat_coco", "icd_coco", "lgd_coco", "lgd_crowdhuman"),
        *("methods_shapes", "methods_bccd", "cost_shapes"),
    }


@pytest.mark.parametrize("name", SUITES)
def test_shipped_suites(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert tuple(suite.grades) == GRADES
    known = load_published()
    for row in suite.table():
        assert row.published is None or row.published in known or find_cost_claim(row.published), row.id


def test_a_grid_comes_before_rows() -> None:
    suite = SuiteSpec.parse({**VALUES, "rows": [{"id": "twice", "method": "pkd", "params": {"weight": 2.0}}]}, "s.yaml")
    assert [(row.id, row.method) for row in suite.table()] == [("none", "none"), ("pkd", "pkd"), ("twice", "pkd")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": [{"id": "pkd"}]}, "row pkd is there twice"),
        ({"task": None}, "give the suite a task"),
        ({"methods": []}, "needs rows or methods"),
        ({"grades": {}}, "at least one grade"),
        ({"grades": {"tiny": {"title": "t", "seeds": 1}}}, "smoke"),
        ({"rows": [{"id": "x", "role": "teacher", "method": "pkd"}]}, "role: teacher is plain training"),
        ({"rows": [{"id": "x", "methd": "pkd"}]}, "unknown key 'rows.0.methd'; did you mean 'method'"),
    ],
)
def test_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        SuiteSpec.parse({**VALUES, **change}, "s.yaml")
    assert "\n" not in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="unknown suite 'defeat_vok'; did you mean 'defeat_voc'"):
        load_suite("defeat_vok")
    with pytest.raises(KeyError, match="has no grade 'quik'; did you mean 'quick'"):
        load_suite("defeat_voc").grade("quik")
