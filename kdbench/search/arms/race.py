"""The race of the finalists: seeds are given round by round, to those about whom something is still open.

In a round every recipe that is still in it gets the same new seed, so that figures are compared in pairs. What is open is
asked of the leaderboard's own test: who differs from the leader, and what can be said against the baseline.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kdbench.leaderboard.statistics import SIGNIFICANT, Comparison, compare, corrected

BEHIND = "behind the leader"
SETTLED = "settled"
FAILED = "failed"
Mode = Literal["max", "min"]


@dataclass(frozen=True)
class Stop:
    """Why a recipe gets no further seed: behind the leader, settled, has all N seeds, or failed; and how many it had."""

    reason: str
    seeds: int


@dataclass(frozen=True)
class Standing:
    """Where the race is.

    Attributes:
        seeds: how many each of `going` has, all of them: whole rounds. The next seed is the one with this number (from 0).
        leader: the best mean of those in the race that are not the baseline; None before the first whole round, or when
            none is left that did not fail.
        going: who gets the next seed, in the order given. Empty: the race is over.
        stopped: why each other stopped.
    """

    seeds: int
    leader: str | None
    going: tuple[str, ...]
    stopped: dict[str, Stop]


def standing(
    figures: Mapping[str, Mapping[int, float | None]],
    baseline: str | None,
    *,
    mode: Mode = "max",
    least: int = 3,
    most: int,
    level: float = SIGNIFICANT,
) -> Standing:
    """Who gets the next seed, and why each other stopped.

    The rounds are gone through from the first, so the answer depends on the figures alone: not on the order in which they
    came, nor on what was asked before, and a recipe that stopped does not come back. A round counts once everyone still in
    the race has its seed or failed; until then the answer is that of the round before.

    After a round, from `least` seeds on:
      * who is significantly worse than the leader stops (`behind the leader`), whatever is open against the baseline;
      * the leader goes on while another is in the race with it or its verdict against the baseline is a tie, else it
        stops (`settled`);
      * the baseline goes on as long as anybody does, so that pairs stay pairs, and stops with the last (`settled`), or alone
        if all others failed;
      * with `most` seeds everybody else stops (`has all N seeds`).
    A recipe whose training brought no figure for a seed stops at once as `failed`. It is not the leader and nobody waits for
    it; against the baseline it is compared by the seeds it has (unpaired). If the baseline itself failed, nobody goes on for
    a verdict against it.

    Formula:
        paired t-tests, two-sided, p < `level` after Holm's correction. Families: the others in the race against the leader;
        and, as on the leaderboard, every finalist against the baseline, whether still in the race or not.
        The looks after each round are not corrected for. A single finalist that truly equals the baseline gets a verdict at
        one of the eight looks from 3 to 10 seeds in 17 % of the races and not in 5 % (`benchmarks/planted/race.py`); a lower
        level asks more of a stop.

    Args:
        figures: of each finalist, by seed; seeds are given in ascending order. A seed is missing as long as its training
            has not ended; None: it ended without a figure.
        baseline: which of them is the baseline; None without one.
        least: nobody but who failed stops before having that many seeds.
        most: nobody gets more.
        level: a recipe stops early only on a p below this, 0.05 (the leaderboard's) or less.

    Raises:
        ValueError: `most` or `least` is below 1, the level is none or above the leaderboard's, or the baseline is not among the finalists.

    Example:
        >>> seen = {"pkd": {1: 0.41, 2: 0.42, 3: 0.43}, "cwd": {1: 0.36, 2: 0.37, 3: 0.379}, "none": {1: 0.30, 2: 0.42, 3: 0.35}}
        >>> standing(seen, "none", most=10)
        Standing(seeds=3, leader='pkd', going=('pkd', 'none'), stopped={'cwd': Stop(reason='behind the leader', seeds=3)})
    """
    if least < 1 or most < 1:
        raise ValueError(f"a race needs a seed, got at least {least} and at most {most}")
    if not 0 < level <= SIGNIFICANT:
        raise ValueError(f"the level of a stop is above 0 and at most {SIGNIFICANT}, got {level}")
    if baseline is not None and baseline not in figures:
        raise ValueError(f"the baseline {baseline} is not among the finalists: {', '.join(figures)}")
    seeds = sorted({seed for values in figures.values() for seed in values})
    going, leader, stopped = list(figures), None, dict[str, Stop]()
    done = 0
    for count, seed in enumerate(seeds[:most], 1):
        if not going or not all(seed in figures[name] for name in going):
            break
        done = count
        known = {name: _known(values, seeds[:count]) for name, values in figures.items()}
        out = {name: FAILED for name in going if figures[name][seed] is None}
        racing = [name for name in going if name not in out]
        leader = _leader([name for name in racing if name != baseline], known, mode)
        if count >= min(least, most):
            out.update(_stops(racing, leader, baseline, known, mode, level))
        if count == most:
            out.update({name: f"has all {most} seeds" for name in going if name not in out})
        stopped.update({name: Stop(reason, len(known[name])) for name, reason in out.items()})
        going = [name for name in going if name not in out]
    return Standing(done, leader, tuple(going), stopped)


def _known(values: Mapping[int, float | None], seeds: list[int]) -> dict[int, float]:
    """The figures of the first seeds."""
    return {seed: value for seed in seeds if (value := values.get(seed)) is not None}


def _leader(names: list[str], known: Mapping[str, Mapping[int, float]], mode: Mode) -> str | None:
    """The best mean; equal ones in the order given."""
    sign = 1.0 if mode == "max" else -1.0
    return max(names, key=lambda name: sign * statistics.fmean(known[name].values()), default=None)


def _stops(
    racing: list[str],
    leader: str | None,
    baseline: str | None,
    known: Mapping[str, Mapping[int, float]],
    mode: Mode,
    level: float,
) -> dict[str, str]:
    """Who of those in the race stops after a round, and why."""
    if leader is None:
        return dict.fromkeys(racing, SETTLED)  # nobody is left to compare the baseline with
    others = [name for name in racing if name not in (leader, baseline)]
    orders = corrected([compare(known[name], known[leader], mode) for name in others])
    out = {name: BEHIND for name, order in zip(others, orders, strict=True) if _proven(order, level)}
    if len(out) == len(others) and (
        baseline not in racing or _proven(_against(leader, str(baseline), known, mode), level)
    ):
        out.update({name: SETTLED for name in racing if name not in out})
    return out


def _against(leader: str, baseline: str, known: Mapping[str, Mapping[int, float]], mode: Mode) -> Comparison:
    """The leader against the baseline as on the leaderboard, which corrects over all finalists."""
    names = [name for name in known if name != baseline and known[name]]
    family = corrected([compare(known[name], known[baseline], mode) for name in names])
    return family[names.index(leader)]


def _proven(comparison: Comparison, level: float) -> bool:
    """Whether a difference is more than chance."""
    return comparison.p_holm is not None and comparison.p_holm < level
