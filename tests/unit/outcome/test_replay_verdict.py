"""What is said of a replay: the same to the last bit, or where it differs, by how much, and whether seeds differ more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kdbench.outcome.replay import Replay, _compared

FIGURES = {1: {"val/mAP": 0.1, "train/loss": 2.0}, 2: {"val/mAP": 0.2, "train/loss": 1.0}, 0: {"report/mAP": 0.15}}


def replayed(**epochs: float) -> Replay:
    """A replay whose mAP of epoch 2 is another."""
    again = {epoch: dict(told) for epoch, told in FIGURES.items()}
    again[2]["val/mAP"] += epochs.get("more", 0.0)
    return Replay("s/a", "mAP", FIGURES, again, (1.0, 2.0), None)


def test_the_same() -> None:
    found = replayed()
    assert (found.same, found.first, found.largest) == (True, None, 0.0)
    assert found.verdict.startswith("the same")


def test_the_last_bit_counts() -> None:
    found = replayed(more=1e-16)
    assert (found.same, found.first) == (False, 2)


def test_how_much_and_against_the_seeds() -> None:
    found = replayed(more=0.03)
    assert found.largest == pytest.approx(0.03)
    assert found.verdict == "not the same: differs from epoch 2 on, mAP by at most 0.0300"
    assert "inside two standard deviations" in replace(found, spread=0.02).verdict
    assert "outside two standard deviations" in replace(found, spread=0.01).verdict


def test_only_the_report_differs() -> None:
    found = replace(replayed(), again={**FIGURES, 0: {"report/mAP": 0.16}})
    assert found.first == 0
    assert "differs from the report split" in found.verdict


def test_costs_are_not_compared() -> None:
    told = _compared({1: {"val/mAP": 0.1, "sec_per_iter": 0.2, "cost/device_hours": 1.0}}, {"cost/device_hours": 1.0})
    assert told == {1: {"val/mAP": 0.1}}
