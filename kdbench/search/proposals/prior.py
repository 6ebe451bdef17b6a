"""Start-up proposals around the published values: who made a method has searched already."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist
from typing import Any

from kdbench.search.proposals.ask import Ask
from kdbench.specs.space import Domain, choose

FACTOR = 2.0
"""Of a loguniform domain: two thirds of the draws lie within this factor of the published value."""
SHARE_OF_RANGE = 0.15
"""Of a uniform or int domain: the standard deviation, as a share of the range."""


def is_prior(number: int, share: float) -> bool:
    """Whether a start-up proposal is drawn around the published values: of every 1/share numbers, the first.

    Example:
        >>> [is_prior(number, 0.5) for number in range(1, 7)]
        [True, False, True, False, True, False]
    """
    return math.ceil(number * share) > math.ceil((number - 1) * share)


def around(ask: Ask, seed: int) -> dict[str, Any]:
    """Values around the published ones.

    A loguniform domain is drawn log-normally, a uniform or int one normally, each cut off at the domain's ends; the
    published choice has probability one half, the others share the rest. So have a range and its alternative (`or`);
    the range's value is anywhere in it where the alternative is what was published. Of published values outside a
    domain the nearest end counts.
    """
    random = Random(seed)
    return choose(ask.domains, ask.fixed, ask.context, lambda name, domain: _draw(random, domain, ask.first.get(name)))


def nearest(domain: Domain, value: Any) -> Any:
    """The value itself if the domain has it, else the nearest end or choice; None if nothing is near."""
    if domain.contains(value):
        return value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    if domain.choice is not None:
        numbers = [o for o in domain.choice if isinstance(o, (int, float)) and not isinstance(o, bool)]
        return min(numbers, key=lambda option: abs(option - value), default=None)
    low, high = ends(domain)
    return min(max(value, low), high)


def ends(domain: Domain) -> tuple[float, float]:
    """Of a range."""
    return domain.int_ or domain.loguniform or domain.uniform or (0.0, 1.0)


def plain(domain: Domain) -> Any:
    """The alternative of a range, in the range's own type."""
    return domain.or_ if domain.int_ is not None else float(domain.or_)


def rounded(domain: Domain, value: float) -> int | float:
    """A number of a range as proposals have it: whole, or six significant digits."""
    return round(value) if domain.int_ is not None else float(f"{value:.6g}")


def _draw(random: Random, domain: Domain, published: Any) -> Any:
    center = nearest(domain, published)
    if domain.choice is not None:
        option = domain.option(center)
        others = [other for other in domain.choice if other is not option]
        if len(others) in (0, len(domain.choice)):
            return random.choice(domain.choice)
        return option if random.random() < 0.5 else random.choice(others)
    if domain.or_ is not None:
        if random.random() < 0.5:
            return plain(domain)
        center = None if center == domain.or_ else center
    return rounded(domain, _in_range(random, domain, center))


def _in_range(random: Random, domain: Domain, center: float | None) -> float:
    """Around a value of the range, or anywhere in it; a draw is cut off at the ends, so that none of them piles up."""
    low, high = ends(domain)
    if domain.loguniform is not None:
        middle = None if center is None else math.log(center)
        value = math.exp(_cut_normal(random, math.log(low), math.log(high), middle, math.log(FACTOR)))
    else:
        value = _cut_normal(random, low, high, center, SHARE_OF_RANGE * (high - low))
    return min(max(value, low), high)


def _cut_normal(random: Random, low: float, high: float, center: float | None, deviation: float) -> float:
    if center is None:
        return random.uniform(low, high)
    normal = NormalDist(center, deviation)
    share = random.uniform(normal.cdf(low), normal.cdf(high))
    return normal.inv_cdf(min(max(share, 1e-12), 1 - 1e-12))
