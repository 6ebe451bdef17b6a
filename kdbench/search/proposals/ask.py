"""What is asked of a sampler, and what it may know: plain data, so that an answer can be given again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kdbench.specs.space import Domain, choose

Algorithm = Literal["optuna", "gp", "random", "grid"]
STARTUP_TRIALS = 8
"""Trials that a sampler must know before it is more than chance; until then proposals are start-up ones."""


@dataclass(frozen=True)
class Past:
    """An earlier trial of the same arm, or one of another study that comes first: what was proposed, how it ended.

    Attributes:
        end: one of the end states; None while it runs or is paused.
        value: the best that it reported.
        reports: epoch -> value.
        paused: it waits at a rung; `end` is None.
    """

    proposal: dict[str, Any]
    end: str | None
    value: float | None
    reports: dict[int, float] = field(default_factory=dict)
    paused: bool = False


@dataclass(frozen=True)
class Ask:
    """One question: which values trial `number` of an arm gets.

    Attributes:
        mode: whether the best figures are the largest or the smallest.
        seed: of the study.
        number: of the trial in its arm, from 0.
        domains: what the arm varies, in the order in which it is chosen.
        fixed: values that are not searched.
        first: the published values, of every parameter that a condition may ask for; what is fixed stands in it too.
        detector: its family, which conditions may ask for.
        prior: share of the start-up proposals that are drawn around the published values; 0 is none.
        points: to be tried right after the published values, each laid over these; `{}` is the published values
            themselves, for a grid, which does not begin with them. Values outside the domains are taken as they are.
    """

    algorithm: Algorithm
    mode: Literal["max", "min"]
    seed: int
    arm: str
    number: int
    domains: dict[str, Domain]
    fixed: dict[str, Any]
    first: dict[str, Any]
    detector: str
    prior: float = 0.0
    points: Sequence[dict[str, Any]] = ()

    @property
    def context(self) -> dict[str, Any]:
        """What conditions may ask for besides the values chosen."""
        return {**self.first, "detector": self.detector}

    def point(self, given: dict[str, Any]) -> dict[str, Any]:
        """The proposal of a point: the published values with the given ones on top.

        Example:
            >>> domains = {"weight": Domain(loguniform=(1, 9)), "mode": Domain(choice=("a", "b"), when={"weight": {"above": 2}})}
            >>> ask = Ask("optuna", "max", 0, "mine", 0, domains, {}, {"weight": 1.0, "mode": "a"}, "one_stage")
            >>> ask.point({}), ask.point({"weight": 20.0})
            ({'weight': 1.0}, {'mode': 'a', 'weight': 20.0})
        """
        held = {**self.fixed, **given}
        return {**choose(self.domains, held, self.context, lambda name, _: self.first[name]), **given}
