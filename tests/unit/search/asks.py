"""Questions for tests of proposals, on a small made-up method."""

from __future__ import annotations

import math
from typing import Any

from kdbench.search.proposals.ask import Ask, Past
from kdbench.specs.base import canonical_json
from kdbench.specs.space import Domain

DOMAINS = {
    "weight": Domain(loguniform=(0.01, 100)),
    "rate": Domain(uniform=(0, 1)),
    "layers": Domain(int=(1, 9)),
    "decay": Domain(choice=("none", "linear", "cosine")),
    "head": Domain.model_validate({"loguniform": (0.1, 10), "or": 0}),
    "temperature": Domain(choice=(1, 2, 4), when={"head": {"above": 0}}),
}
FIRST = {"weight": 2.0, "rate": 0.5, "layers": 5, "decay": "linear", "head": 0.0, "temperature": 1.0}
FINITE = {"a": Domain(choice=("x", "y", "z")), "b": Domain(int=(0, 3), when={"a": ["x", "y"]})}
"""Nine points: (x, y) times four, and z."""


def ask(**changes: Any) -> Ask:
    values = {
        "algorithm": "optuna",
        "mode": "max",
        "seed": 0,
        "arm": "mine",
        "number": 0,
        "domains": DOMAINS,
        "fixed": {},
        "first": FIRST,
        "detector": "one_stage",
    }
    return Ask(**{**values, **changes})


def finite(**changes: Any) -> Ask:
    return ask(**{"domains": FINITE, "first": {"a": "x", "b": 0}, **changes})


def recipe(proposal: dict[str, Any]) -> str:
    """Stands for a recipe's hash: equal where the values are."""
    return canonical_json(proposal)


def quality(proposal: dict[str, Any]) -> float:
    """Best, and 1, at a weight of 20."""
    return 1 - 0.1 * abs(math.log(proposal["weight"] / 20))


def completed(proposal: dict[str, Any], value: float | None = None) -> Past:
    return Past(proposal, "completed", quality(proposal) if value is None else value)
