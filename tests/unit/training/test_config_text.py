"""Values come back from the text of a config as they were."""

from __future__ import annotations

from typing import Any

import pytest

from kdbench.training.config_text import WIDTH, Expression, config_text


def read(text: str, **names: Any) -> dict[str, Any]:
    space = dict(names)
    exec(text, space)
    return {name: value for name, value in space.items() if name not in (*names, "__builtins__")}


@pytest.mark.parametrize(
    "value",
    [
        {"classes": ("driver's licence", 'a "quoted" one', "back\\slash", "zwei\nZeilen")},
        {"one": ("single",), "none": None, "yes": True, "list": [], "tuple": (), "dict": {}},
        {"paramwise_cfg": {"custom_keys": {"backbone.0": {"lr_mult": 0.1}, "class": 1, "from": 2}}},
        {"ranges": ((-1, 64), (512, float("inf"))), "small": 1e-05, "large": 1e20},
        {"transforms": [{"type": f"Step{index}", "mean": [123.675, 116.28, 103.53]} for index in range(9)]},
        {7: "a number as key", "text": "x" * 300},
    ],
)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert read(config_text({"value": value})) == {"value": value}


def test_types_stay() -> None:
    back = read(config_text({"value": {"scale": (1333, 800), "ratios": [0.5, 1.0], "depth": 18}}))["value"]
    assert [type(back[name]) for name in ("scale", "ratios", "depth")] == [tuple, list, int]
    assert type(back["ratios"][1]) is float


def test_an_expression_is_computed_by_the_reader() -> None:
    text = config_text({"data": {"ann_file": Expression("data_root + 'val.json'")}})
    assert text == "data = dict(ann_file=data_root + 'val.json')\n"
    assert read(text, data_root="/here/") == {"data": {"ann_file": "/here/val.json"}}


def test_long_lines_are_folded() -> None:
    steps = [{"type": "Step", "mean": [123.675, 116.28, 103.53]} for _ in range(9)]
    lines = config_text({"data": {"train": {"pipeline": steps}}}).splitlines()
    assert len(lines) > 9
    assert max(map(len, lines)) <= WIDTH
