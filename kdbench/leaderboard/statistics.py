"""Means, intervals and verdicts over seeds. Everything that cannot be known from so few seeds is None."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["better", "tie", "worse", "single"]
SIGNIFICANT = 0.05
"""A verdict other than a tie needs a corrected p below this."""
LEVEL = 1 - SIGNIFICANT
ROUNDING = 1e-12
"""Figures are in 0..1 with some four decimals: what is smaller is rounding and counts as nothing."""


@dataclass(frozen=True)
class Summary:
    """A figure over seeds. `ci95` is the half-width of Student's interval of the mean."""

    n: int
    mean: float
    std: float | None
    ci95: float | None


@dataclass(frozen=True)
class Comparison:
    """A figure against the baseline's: the difference of the means, its half-width, and what that allows to say.

    The difference is the figure less the baseline's, whichever direction is better.

    Attributes:
        p_value: of no difference, two-sided; None with one seed.
        p_holm: the same, corrected for the other comparisons of its family; alone, it is `p_value`.
        mode: whether the larger ("max") or the smaller figure is better.
    """

    delta: float
    ci95: float | None
    p_value: float | None = None
    p_holm: float | None = None
    mode: Literal["max", "min"] = "max"

    @property
    def verdict(self) -> Verdict:
        """What can be said of the difference, by the corrected p."""
        if self.p_holm is None:
            return "single"
        if self.p_holm >= SIGNIFICANT:
            return "tie"
        return "better" if (self.delta > 0) == (self.mode == "max") else "worse"


def summarize(values: list[float]) -> Summary:
    """Mean, sample standard deviation and 95 % interval.

    Raises:
        ValueError: there are no values.

    Example:
        >>> summarize([0.30])
        Summary(n=1, mean=0.3, std=None, ci95=None)
    """
    n, mean = len(values), statistics.fmean(values)
    if n < 2:
        return Summary(n, mean, None, None)
    std = statistics.stdev(values)
    return Summary(n, mean, std, _t(n - 1) * std / math.sqrt(n))


def compare(
    values: Mapping[int, float], baseline: Mapping[int, float], mode: Literal["max", "min"] = "max"
) -> Comparison:
    """The difference of two figures, each by seed; with mode "min" the lower figure is better.

    Paired by seed where both have exactly the same seeds, two or more. Otherwise Welch's interval: with seeds
    shared only in part, a paired interval would belong to another difference than that of the two means.

    Where nothing varies (all differences equal, or both figures the same with every seed), p is 0, or 1 without any
    difference.

    Raises:
        ValueError: one of them has no values.

    Example:
        >>> compare({0: 0.30, 1: 0.42, 2: 0.54}, {0: 0.20, 1: 0.30, 2: 0.40}).verdict
        'better'
    """
    delta = statistics.fmean(values.values()) - statistics.fmean(baseline.values())
    if len(values) < 2 or len(baseline) < 2:
        return Comparison(delta, None, mode=mode)
    error, freedom = _paired(values, baseline) if values.keys() == baseline.keys() else _welch(values, baseline)
    p = _p_value(delta, error, freedom)
    return Comparison(delta, _t(freedom) * error, p, p, mode)


def corrected(family: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of one family with Holm's correction, in their order; those of a single seed stay as they are.

    Example:
        >>> one = compare({0: 0.3, 1: 0.42, 2: 0.54}, {0: 0.2, 1: 0.3, 2: 0.4})
        >>> corrected([one]) == [one]
        True
    """
    adjusted = iter(holm([one.p_value for one in family if one.p_value is not None]))
    return [one if one.p_value is None else replace(one, p_holm=next(adjusted)) for one in family]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given.

    Formula:
        with m values and p(1) <= ... <= p(m): adjusted(i) = max over j <= i of min(1, (m - j + 1) p(j)).

    Reference: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.

    Example:
        >>> holm([0.02, 0.03])
        [0.04, 0.04]
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> tuple[float, float]:
    """The standard error of the mean difference, and the degrees of freedom."""
    differences = [values[seed] - baseline[seed] for seed in values]
    return statistics.stdev(differences) / math.sqrt(len(differences)), len(differences) - 1


def _welch(values: Mapping[int, float], baseline: Mapping[int, float]) -> tuple[float, float]:
    """The standard error of the difference of means, and Welch and Satterthwaite's degrees of freedom."""
    sides = [(statistics.variance(side.values()) / len(side), len(side) - 1) for side in (values, baseline)]
    variance = sum(part for part, _ in sides)
    if math.sqrt(variance) < ROUNDING:
        return 0.0, len(values) + len(baseline) - 2
    return math.sqrt(variance), variance**2 / sum(part**2 / degrees for part, degrees in sides)


def _p_value(delta: float, error: float, freedom: float) -> float:
    """Student's, two-sided."""
    from scipy import special

    if abs(delta) < ROUNDING:
        return 1.0
    if error < ROUNDING:
        return 0.0
    return float(2 * special.stdtr(freedom, -abs(delta) / error))


def _t(freedom: float) -> float:
    """The factor of a two-sided interval. `scipy.special` loads and answers much faster than `scipy.stats`."""
    from scipy import special

    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))
