"""What MLflow refuses never reaches it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.tracking.names import LONGEST_PARAM, chunks, flatten, matching, metric_name, metrics


@pytest.mark.parametrize(
    ("given_name", "wanted"),
    [
        ("val/mAP_50", "val/mAP_50"),
        ("val/mAP@0.5", "val/mAP_0.5"),
        ("loss[0]", "loss_0_"),
        ("//a/../b", "a/b"),
        ("größe", "gr__e"),
        ("", "_"),
    ],
)
def test_metric_names(given_name: str, wanted: str) -> None:
    assert metric_name(given_name) == wanted


@settings(deadline=None)
@given(st.text(max_size=400))
def test_mlflow_takes_every_name(text: str) -> None:
    from mlflow.utils.validation import _validate_metric_name, _validate_param_name

    _validate_metric_name(metric_name(text))
    for name in flatten({text: 1}):
        _validate_param_name(name)
        assert len(name) <= 250


def test_only_finite_numbers_are_metrics() -> None:
    given_values = {"a": 1, "b": math.nan, "c": math.inf, "d": None, "e": "x", "f": 0.5}
    assert metrics(given_values) == {"a": 1.0, "f": 0.5}


def test_params_are_flat_text() -> None:
    nested = {"schedule": {"lr": 1e-3, "grad_clip": None}, "set": {}, "steps": [8, 11], "norm": "BN", "fp16": False}
    assert flatten(nested) == {
        "schedule.lr": "0.001",
        "schedule.grad_clip": "none",
        "set": "{}",
        "steps": "[8, 11]",
        "norm": "BN",
        "fp16": "false",
    }


def test_long_values_are_shortened_and_stay_different() -> None:
    one, other = (flatten({"note": "x" * 7000 + end})["note"] for end in "ab")
    assert len(one) <= LONGEST_PARAM
    assert one != other


def test_chunks_and_filters() -> None:
    assert [len(some) for some in chunks(list(range(250)))] == [100, 100, 50]
    assert matching({"kdbench.study": "o'hara"}) == 'tags.`kdbench.study` = "o\'hara"'
