"""Studies that were begun before there were arms go on with the same proposals."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from kdbench.search.proposals.ask import Past
from kdbench.search.proposals.of_study import ask_of
from kdbench.search.proposals.proposing import propose
from tests.unit.search.plans import plan

KEPT = json.loads((Path(__file__).parents[2] / "data" / "proposals_before_arms.json").read_text())
"""What the version of 2026-11-27 proposed in these studies, with Optuna 5.0.0."""
ENDS = ("completed", "pruned", "completed", "failed", "completed", "lost", "completed", None)
EPOCHS = {"completed": 8, "failed": 2, "lost": 0, None: 3}


def played(arm: str, count: int, **changes: Any) -> list[dict[str, Any] | None]:
    past: list[Past] = []
    for number in range(count):
        proposal = propose(ask_of(plan(seed=3, **changes), arm, number), past)
        if proposal is None:
            return [*(p.proposal for p in past), None]
        end = ENDS[number % 8]
        epochs = EPOCHS.get(end, 1 + number % 3)
        reports = {e: round(0.3 + 0.2 * math.sin(3 * number) + 0.01 * e, 6) for e in range(1, epochs + 1)}
        past.append(Past(proposal, end, max(reports.values(), default=None), reports))
    return [p.proposal for p in past]


@pytest.mark.parametrize(("algorithm", "count"), [("optuna", 24), ("random", 5), ("grid", 4)])
def test_a_method_gets_the_same_values(algorithm: str, count: int) -> None:
    assert played("defeat", count, algorithm=algorithm) == KEPT[algorithm]


def test_the_baseline_gets_the_same_values() -> None:
    assert played("none", 12) == KEPT["baseline"]
