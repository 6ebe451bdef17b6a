"""The epochs of the rungs and the order of figures are the same for all schedulers."""

from __future__ import annotations

import math

import pytest

from kdbench.search.rungs.levels import merit, rungs
from kdbench.search.rungs.promotion import Promotion


@pytest.mark.parametrize(
    ("epochs", "grace", "factor", "expected"),
    [
        (8, 1, 3, (1, 3)),
        (9, 1, 3, (1, 3, 9)),
        (1, 1, 3, (1,)),
        (12, 2, 2, (2, 4, 8)),
        (2, 5, 2, (2,)),
        (3, 0, 3, (1, 3)),
        (1000, 1, 10, (1, 10, 100, 1000)),  # math.log(1000, 10) is 2.9999999999999996
    ],
)
def test_epochs(epochs: int, grace: int, factor: int, expected: tuple[int, ...]) -> None:
    assert rungs(epochs, grace, factor) == expected
    below = tuple(rung for rung in expected if rung < epochs)
    assert Promotion(epochs, grace, factor).rungs == below


def test_a_factor_that_would_never_end_is_refused() -> None:
    with pytest.raises(ValueError, match="factor of 1 "):
        rungs(8, 1, 1)


def test_nan_is_worst_in_both_directions() -> None:
    assert merit(math.nan, "max") < merit(-1.0, "max") < merit(0.5, "max")
    assert merit(math.nan, "min") < merit(99.0, "min") < merit(0.5, "min")
