"""When a study stops proposing."""

from __future__ import annotations

import pytest

from kdbench.search.arms.patience import exhausted


def test_no_gain_above_the_noise_is_none() -> None:
    assert exhausted({"a": [0.40, 0.403, 0.39]}, 2, 0.003)
    assert not exhausted({"a": [0.40, 0.4031, 0.39]}, 2, 0.003)
    assert exhausted({"a": [0.60, 0.597, 0.61]}, 2, 0.003, "min")
    assert not exhausted({"a": [0.60, 0.596, 0.61]}, 2, 0.003, "min")


def test_small_steps_count_together() -> None:
    """Each of them within the noise, all of them above it."""
    assert not exhausted({"a": [0.400, 0.402, 0.404, 0.406]}, 3, 0.003)


def test_without_a_noise_every_gain_counts() -> None:
    assert not exhausted({"a": [0.40, 0.4001]}, 1, None)
    assert exhausted({"a": [0.40, 0.40]}, 1, None)


def test_an_arm_with_few_trials_is_waited_for() -> None:
    assert not exhausted({"a": [0.4, 0.1, 0.1], "b": [0.4, 0.1]}, 2, 0.0)
    assert exhausted({"a": [0.4, 0.1, 0.1], "b": [0.4, 0.1, 0.1]}, 2, 0.0)


def test_one_arm_that_gains_keeps_the_study_going() -> None:
    assert not exhausted({"a": [0.4, 0.1, 0.1], "b": [0.1, 0.1, 0.2]}, 2, 0.003)


def test_a_trial_without_a_figure_brought_nothing() -> None:
    assert exhausted({"a": [0.4, None, None]}, 2, 0.003)
    assert exhausted({"a": [None, None, None]}, 2, 0.003)
    assert not exhausted({"a": [None, 0.4, None]}, 2, 0.003)  # a first figure is a gain, above whatever noise


def test_no_patience_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="from 1 on"):
        exhausted({"a": [0.4]}, 0, None)
