"""The card says what was measured, and what speaks against leaning on it."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from kdbench.outcome.card import card
from kdbench.outcome.choosing import Chosen
from kdbench.outcome.verifying import Figure, Verification
from tests.unit.outcome.test_choosing import finals, row


def verification(*, masks: bool = False, operators: str = "compiled", tolerance: float = 1e-6) -> Verification:
    figures = (
        Figure("search", "mAP", 0.3, 0.3, True),
        Figure("report", "mAP", 0.35, 0.35, True),
        Figure("report", "AP50_11", 0.6, 0.6, True),
    )
    versions, images = {"mmdet": "2.28.2"}, {"search": 8, "report": 9}
    return Verification("cpu", tolerance, operators, versions, ("car", "bus"), masks, images, figures)


def chosen(epochs: dict[int, float], **changes: Any) -> Chosen:
    (one,) = finals(0.35)
    one.reports = {epoch: {"val/mAP": value} for epoch, value in epochs.items()}
    values: dict[str, Any] = {"split": "report", "n_seeds": 3, "verdict": "better", "ci95": 0.02}
    return Chosen(one, row(one.trial, 0.36, **{**values, **changes}), "the winner")


def test_the_row_and_the_verification_are_told() -> None:
    text = card(chosen({8: 0.3}, baseline_mean=0.21, delta=0.15, delta_ci95=0.03), verification())
    for words in ("0.3600 ± 0.0200", "0.21", "+0.1500 ± 0.0300", "| verdict | better |", "| seeds | 3 |", "2 classes"):
        assert words in text
    assert "| report | 9 | AP50_11 | 0.6000 | 0.6 | kdbench |" in text
    assert "mmdet does not compute AP50_11" in text
    assert "The best, " not in text


def test_another_epoch_was_best() -> None:
    text = card(chosen({6: 0.4, 7: 0.2, 8: 0.3}), verification())
    assert "of the last epoch, 8: mAP 0.3000 on the search split. The best, 0.4000, was epoch 6's" in text


def test_a_figure_of_the_search_split_flatters_and_one_seed_proves_nothing() -> None:
    text = card(chosen({8: 0.3}, split="search", n_seeds=1, verdict="single"), verification())
    assert "so they flatter" in text
    assert "One seed proves nothing" in text
    assert "so they flatter" not in card(chosen({8: 0.3}), verification())


def test_without_a_row() -> None:
    one = chosen({8: 0.3})
    assert "No leaderboard row" in card(Chosen(one.trained, None, one.why), verification())


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("operators", ["compiled", "torchvision"])
def test_four_lines_of_plain_mmdet_and_the_operators_where_they_are_missing(masks: bool, operators: str) -> None:
    text = card(chosen({8: 0.3}), verification(masks=masks, operators=operators))
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    statements = ast.parse(code[1]).body
    assert len([one for one in statements if not isinstance(one, ast.Import | ast.ImportFrom)]) == 4 + (
        operators == "torchvision"
    )
    assert ("kdbench" in code[1]) == (operators == "torchvision")
    assert ("segm" in code[1]) == masks
    assert "cfg.data.test" in code[1]


def test_the_tolerance_of_another_device_is_told() -> None:
    assert "`bbox_mAP` 0.3500, to 0.005, of the report split" in card(chosen({8: 0.3}), verification(tolerance=0.005))
