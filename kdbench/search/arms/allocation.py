"""Sequential halving over arms: who gets how many trials in a round, and who goes after it.

A study of n arms has ceil(log2 n) rounds of about equal cost. In a round every surviving arm gets the same number of
trials; then the worse half goes, by the best figure so far.

Reference: Karnin, Koren, Somekh, Almost Optimal Exploration in Multi-Armed Bandits, ICML 2013 (algorithm 2).
Differs from the paper: an arm is judged by the best of all its trials and not by the mean of the round's, since a study
asks for the best recipe; an arm within the noise of the cut stays; the last round takes all that is left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

ROUNDING = 1e-9
"""Shares of hours, and figures with some four decimals: what differs by less is equal."""


def number_of_rounds(arms: int) -> int:
    """How often arms are halved until one is left: ceil(log2 arms), and at least one round.

    Raises:
        ValueError: there is no arm.

    Example:
        >>> [number_of_rounds(arms) for arms in (1, 2, 3, 4, 5, 10)]
        [1, 1, 2, 2, 3, 4]
    """
    if arms < 1:
        raise ValueError(f"halving needs an arm, got {arms}")
    return max(1, (arms - 1).bit_length())


def each(arms: int, rounds_left: int, trials_left: int) -> int:
    """How many trials every surviving arm gets in the round that begins.

    With fewer trials left than arms it is 0: `shares` gives one to each of the better arms, and the budget is spent.

    Formula:
        max(1, floor(trials_left / (arms * rounds_left))), or 0 if trials_left < arms.

    Args:
        rounds_left: the one that begins included.

    Raises:
        ValueError: there is no arm, no round, or less than no trial.

    Example:
        >>> each(10, 4, 24), each(5, 3, 14), each(3, 2, 9), each(2, 1, 6)
        (1, 1, 1, 3)
    """
    return each_by_hours(dict.fromkeys(map(str, range(arms)), 1.0), rounds_left, trials_left)


def shares(arms: Sequence[str], rounds_left: int, trials_left: int) -> dict[str, int]:
    """The trials of each surviving arm in the round that begins; in all never more than are left.

    In the last round, and when a single arm is left, everything goes, as evenly as possible, one more for the better
    arms. Where fewer trials are left than arms, the better ones get one each and the others none.

    Args:
        arms: the best first.
        rounds_left: the one that begins included.

    Raises:
        ValueError: there is no arm, no round, or less than no trial.

    Example:
        >>> shares(["pkd", "cwd", "fgd"], 2, 14), shares(["pkd", "cwd"], 1, 5), shares(["pkd", "cwd"], 2, 1)
        ({'pkd': 2, 'cwd': 2, 'fgd': 2}, {'pkd': 3, 'cwd': 2}, {'pkd': 1, 'cwd': 0})
    """
    return shares_by_hours(dict.fromkeys(arms, 1.0), rounds_left, trials_left)


def each_by_hours(costs: Mapping[str, float], rounds_left: int, hours_left: float) -> int:
    """How many trials every surviving arm gets in the round that begins, where the budget is device-hours.

    The number is the same for all, so that a dear arm is not judged by fewer trials than a cheap one. It is 0 where one
    trial of each is more than is left.

    Formula:
        max(1, floor(hours_left / (rounds_left * sum of costs))), or 0 if hours_left < sum of costs.

    Args:
        costs: device-hours of one trial of each surviving arm.
        rounds_left: the one that begins included.

    Raises:
        ValueError: there is no arm, no round, less than no hour, or an arm whose trial costs nothing.

    Example:
        >>> each_by_hours({"pkd": 1.0, "lgd": 2.0}, rounds_left=2, hours_left=20.0)
        3
    """
    if not costs or rounds_left < 1 or not hours_left >= 0:
        raise ValueError(
            f"a round needs an arm, a round and a budget, got {len(costs)} arms, {rounds_left} rounds, {hours_left} left"
        )
    for arm, cost in costs.items():
        if not cost > 0:
            raise ValueError(f"a trial of {arm} must cost more than nothing, got {cost}")
    total = math.fsum(costs.values())
    if hours_left < total * (1 - ROUNDING):
        return 0
    if len(costs) == 1:
        rounds_left = 1  # there is nothing left to halve
    return max(1, math.floor(hours_left / (rounds_left * total) * (1 + ROUNDING)))


def shares_by_hours(costs: Mapping[str, float], rounds_left: int, hours_left: float) -> dict[str, int]:
    """The trials of each surviving arm in the round that begins; in all never dearer than what is left.

    In the last round, when a single arm is left, and where one trial of each is more than is left, arms get one more, the
    better first, if its cost still fits. So no arm is ahead of another by more than one trial, and what is left over is
    less than one of each.

    Args:
        costs: device-hours of one trial of each surviving arm, the best arm first.
        rounds_left: the one that begins included.

    Raises:
        ValueError: as `each_by_hours`.

    Example:
        >>> shares_by_hours({"lgd": 2.0, "pkd": 1.0}, rounds_left=1, hours_left=7.5)
        {'lgd': 2, 'pkd': 3}
    """
    count = each_by_hours(costs, rounds_left, hours_left)
    given = dict.fromkeys(costs, count)
    if count and rounds_left > 1 and len(costs) > 1:
        return given
    left = hours_left - count * math.fsum(costs.values())
    for arm, cost in costs.items():
        if cost <= left + ROUNDING * hours_left:
            given[arm] += 1
            left -= cost
    return given


def cut(
    figures: Mapping[str, float | None], noise: float | None, mode: Literal["max", "min"] = "max"
) -> tuple[list[str], list[str]]:
    """Who stays after a round, and who goes; each the best first.

    Of n arms ceil(n / 2) stay. So does an arm whose figure is worse than that of the last of these by no more than the
    noise: another seed could have turned the two round. Equal figures stand in the order given.

    Args:
        figures: the best figure so far of each surviving arm; None without any (all its trials infeasible), which is
            worse than every figure and within nobody's noise.
        noise: one standard deviation over seeds, in the figure's unit; None: unknown, the half that stays is exact.
        mode: whether the largest or the smallest figure is the best.

    Example:
        >>> cut({"pkd": 0.41, "lgd": None, "cwd": 0.40, "fgd": 0.398, "ld": 0.39}, noise=None)
        (['pkd', 'cwd', 'fgd'], ['ld', 'lgd'])
        >>> cut({"pkd": 0.41, "lgd": None, "cwd": 0.40, "fgd": 0.398}, noise=0.003)
        (['pkd', 'cwd', 'fgd'], ['lgd'])
    """
    order = ranked(figures, mode)
    stay = math.ceil(len(order) / 2)
    last = figures[order[stay - 1]] if order else None
    if noise is not None and last is not None:
        for arm in order[stay:]:
            figure = figures[arm]
            if figure is None or abs(figure - last) > noise + ROUNDING:
                break
            stay += 1
    return order[:stay], order[stay:]


def ranked(figures: Mapping[str, float | None], mode: Literal["max", "min"] = "max") -> list[str]:
    """The arms, the best first; equal ones in the order given, those without a figure last.

    Example:
        >>> ranked({"lgd": None, "pkd": 0.40, "cwd": 0.41})
        ['cwd', 'pkd', 'lgd']
    """
    sign = 1.0 if mode == "max" else -1.0
    return sorted(figures, key=lambda arm: math.inf if (figure := figures[arm]) is None else -sign * figure)
