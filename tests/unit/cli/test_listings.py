"""The tables of `kdbench list`."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.cli.listings import listing, merged
from kdbench.methods import registry

FAMILIES = ("retinanet", "fcos", "atss", "gfl", "faster_rcnn", "mask_rcnn", "cascade_rcnn")


def test_every_method_says_whom_it_suits_and_what_its_step_costs(tmp_path: Path) -> None:
    rows = {row["method"]: row for row in merged(listing("methods", tmp_path))}
    assert list(rows) == registry.names()
    for name, row in rows.items():
        assert {row[family] for family in FAMILIES} <= {"yes", "no"}
        if name == "none":
            assert row["step_cost"] == row["step_cost_r50"] == "-"
        else:
            assert 0.9 < float(row["step_cost"]) < 5
            assert 0.9 < float(row["step_cost_r50"]) < 5
            assert float(row["extra_memory_mb"]) > 0
    assert rows["ld"]["gfl"] == "yes"
    assert rows["ld"]["faster_rcnn"] == "no"
    assert rows["pkd"]["extra_params_m"] == "0.0"
    assert float(rows["fitnet"]["extra_params_m"]) > 0
    assert rows["lgd"]["teacher"] == "none"


@pytest.mark.parametrize("kind", ["tasks", "spaces", "suites", "detectors", "datasets"])
def test_the_tables_of_one_kind_describe_the_same_things(kind: str, tmp_path: Path) -> None:
    tables = listing(kind, tmp_path)
    first = [row[0] for row in tables[0].rows]
    assert first
    for table in tables:
        assert [row[0] for row in table.rows] == first
        assert {len(row) for row in table.rows} == {len(table.header)}
