"""Means, intervals and verdicts over seeds. Everything that cannot be known from so few seeds is None."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["better", "tie", "worse", "single"]
LEVEL = 0.95


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
    """

    delta: float
    ci95: float | None
    verdict: Verdict


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
    """
    delta = statistics.fmean(values.values()) - statistics.fmean(baseline.values())
    if len(values) < 2 or len(baseline) < 2:
        return Comparison(delta, None, "single")
    half = _paired(values, baseline) if values.keys() == baseline.keys() else _welch(values, baseline)
    if abs(delta) <= half:
        return Comparison(delta, half, "tie")
    return Comparison(delta, half, "better" if (delta > 0) == (mode == "max") else "worse")


def _paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> float:
    differences = [values[seed] - baseline[seed] for seed in values]
    return _t(len(differences) - 1) * statistics.stdev(differences) / math.sqrt(len(differences))


def _welch(values: Mapping[int, float], baseline: Mapping[int, float]) -> float:
    sides = [(statistics.variance(side.values()) / len(side), len(side) - 1) for side in (values, baseline)]
    variance = sum(part for part, _ in sides)
    if variance == 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in sides)
    return _t(freedom) * math.sqrt(variance)


def _t(freedom: float) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))
