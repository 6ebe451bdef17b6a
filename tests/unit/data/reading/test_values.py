"""Numbers, flags, ids and boxes as converters write them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kdbench.data.reading.values import around, flag, ident, number, sides, whole

NUMBERS = {"160.0": 160, " 12,5 ": 12.5, "1e2": 100, -1.5: -1.5, 3: 3}
NO_NUMBERS = ["1,234.5", "12px", None, [1], True, "", float("nan"), 10**400]


@pytest.mark.parametrize(("value", "found"), [*NUMBERS.items(), *((value, None) for value in NO_NUMBERS)])
def test_numbers(value: Any, found: float | None) -> None:
    assert math.isnan(number(value)) if found is None else number(value) == found


@pytest.mark.parametrize(("value", "found"), [(160, 160), ("160.0", 160), (159.6, 160), ("0", 0), (-3, 0), (None, 0)])
def test_sides_of_an_image(value: Any, found: int) -> None:
    assert whole(value) == found


YES = ["1", "1.0", "true", "Yes", 2, True]
NO = ["0", "0.0", "False", " no ", "", "nan", "Unspecified", 0, 0.0, None, float("nan"), False]


@pytest.mark.parametrize(("value", "found"), [*((value, True) for value in YES), *((value, False) for value in NO)])
def test_flags(value: Any, found: bool) -> None:
    assert flag(value) is found


@pytest.mark.parametrize("value", ["maybe", [0], {}, "0 1"])
def test_flags_that_are_none(value: Any) -> None:
    with pytest.raises(ValueError, match="is neither 0 nor 1"):
        flag(value)


@pytest.mark.parametrize(
    ("value", "found"), [(7, 7), ("7", 7), (7.0, 7), ("7.0", 7), ("007", "007"), (" a ", "a"), ("-1", -1), (0.5, 0.5)]
)
def test_ids(value: Any, found: Any) -> None:
    assert ident(value) == found
    assert type(ident(value)) is type(found)


def test_lists_are_no_ids() -> None:
    with pytest.raises(TypeError):
        ident([1])


@pytest.mark.parametrize(
    ("value", "odd"),
    [
        ([1, 2, 30, 40.5], False),
        (["1", "2.0", 30, "40,5"], True),
        ("[1, 2, 30, 40.5]", True),
        ("1 2 30 40.5", True),
        ("1,2,30,40.5", True),
        ("1;2;30;40,5", True),
        ("1,0 2,0 30,0 40,5", True),
        ({"x": 1, "y": 2, "width": 30, "height": "40.5"}, True),
        ({"left": 1, "top": 2, "width": 30, "height": 40.5}, True),
        ({"xmin": 1, "ymin": 2, "xmax": 31, "ymax": 42.5}, True),
        ({"x1": 1, "y1": 2, "x2": 31, "y2": 42.5}, True),
    ],
)
def test_boxes(value: Any, odd: bool) -> None:
    assert sides(value) == ((1, 2, 30, 40.5), odd)


@pytest.mark.parametrize("value", [None, [1, 2, 3], "1 2 3", {"x": 1}, [1, 2, 3, "wide"], 5, "[]", {"a": [1]}])
def test_boxes_that_are_none_are_nan_and_not_counted_as_read(value: Any) -> None:
    four, odd = sides(value)
    assert any(map(math.isnan, four))
    assert not odd


def test_the_upright_box_around_a_turned_one() -> None:
    assert around(10, 20, 40, 20, 90) == pytest.approx((20, 10, 20, 40))
    assert around(10, 20, 40, 20, 180) == pytest.approx((10, 20, 40, 20))
    assert around(0, 0, 2, 2, 45) == pytest.approx((1 - 2**0.5, 1 - 2**0.5, 2 * 2**0.5, 2 * 2**0.5))
