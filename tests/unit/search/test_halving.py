"""ASHA decides as Ray Tune's scheduler does: studies that were begun with that one go on with the same decisions."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from kdbench.search.rungs.halving import Halving


class Rays:
    """Ray's scheduler behind our interface, as studies of kdbench's first version used it."""

    def __init__(self, epochs: int, grace: int, factor: int, mode: Literal["max", "min"]) -> None:
        self.epochs, self.known = epochs, dict[str, Any]()
        self.scheduler = ASHAScheduler(
            time_attr="epoch",
            metric="value",
            mode=mode,
            max_t=epochs + 1,
            grace_period=max(1, min(grace, epochs)),
            reduction_factor=factor,
            stop_last_trials=False,
        )

    def report(self, trial: str, epoch: int, value: float) -> bool:
        if trial not in self.known:
            self.known[trial] = SimpleNamespace(trial_id=trial)
            self.scheduler.on_trial_add(None, self.known[trial])
        decision = self.scheduler.on_trial_result(None, self.known[trial], {"epoch": epoch, "value": value})
        return decision == TrialScheduler.STOP and epoch < self.epochs


def curve(draw: random.Random, epochs: int) -> list[float]:
    """A learning curve with noise; coarse figures, so that some are equal."""
    height, speed, digits = draw.uniform(0, 0.6), draw.uniform(0.5, epochs), draw.choice([1, 2, 6])
    return [round(height * (1 - 2 ** -(epoch / speed)) + draw.gauss(0, 0.02), digits) for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(("epochs", "grace", "factor"), [(8, 1, 3), (1, 1, 3), (2, 5, 2), (27, 3, 3), (80, 2, 4)])
def test_every_answer_is_rays(mode: Literal["max", "min"], epochs: int, grace: int, factor: int) -> None:
    """A thousand random curves, told in the order in which eight trials at once would report; some end for other reasons."""
    draw = random.Random(f"{mode} {epochs} {grace} {factor}")
    ours, rays = Halving(epochs, grace, factor, mode), Rays(epochs, grace, factor, mode)
    waiting = [(f"trial-{number}", curve(draw, epochs)) for number in range(1000)]
    running: list[tuple[str, list[float], int]] = []
    answers = []
    while waiting or running:
        while waiting and len(running) < 8:
            running.append((*waiting.pop(), 0))
        trial, values, done = running.pop(draw.randrange(len(running)))
        answer = ours.report(trial, done + 1, values[done])
        assert answer == rays.report(trial, done + 1, values[done])
        answers.append(answer)
        if not answer and done + 1 < epochs and draw.random() > 0.01:
            running.append((trial, values, done + 1))
    stops = sum(answers)
    assert (stops > 100) == (epochs > grace)  # the curves put something to the test
