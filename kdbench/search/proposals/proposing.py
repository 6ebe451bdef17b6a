"""Proposing a trial's values: the published ones, points to try first, then the arm's sampler or its grid.

A proposal is a pure function of the study's seed, the trial's number and what is known by then. So a resumed study
proposes what it would have proposed, and nothing has to be saved beside the ledger.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from kdbench.search.proposals.ask import Ask, Past
from kdbench.search.proposals.sampling import Sampling
from kdbench.specs.space import Domain, grid_points

WHOLE = 2000
"""Points of a finite space that are looked through when the sampler finds no new one."""
WIDE = 64
"""Values of an int domain up to which a space counts as finite."""


def propose(ask: Ask, past: Sequence[Past], attempt: int = 0) -> dict[str, Any] | None:
    """Values for a trial; None when a grid has no further point.

    Number 0 has the published values and the next ones the points to try first, in their order; then the sampler is
    asked. A grid begins with the points.

    Args:
        past: the arm's earlier trials in the order of their start, those told from other studies before them.
        attempt: another one gives other values of the sampler, or the next point of the grid.
    """
    before = _before(ask)
    if attempt == 0 and ask.number < len(before):
        return before[ask.number]
    if ask.algorithm == "grid":
        return next(itertools.islice(_grid(ask), max(0, ask.number - len(before)) + attempt, None), None)
    return Sampling(ask, past).draw(attempt)


def fresh(
    ask: Ask,
    past: Sequence[Past],
    resolve: Callable[[dict[str, Any]], str],
    known: Collection[str],
    attempts: int = 20,
) -> dict[str, Any] | None:
    """Values for a trial that no other trial of the arm has: those that come first, then the sampler's.

    Points that were added while the study runs come next, as the earlier ones are known. Where the sampler insists on
    what is known, values are drawn uniformly; a finite space is looked through at last.

    Args:
        resolve: a proposal -> the hash of its recipe.
        known: hashes of the recipes that the arm has.

    Returns:
        None when the space is used up.
    """
    return next((proposal for proposal in _candidates(ask, past, attempts) if resolve(proposal) not in known), None)


def _candidates(ask: Ask, past: Sequence[Past], attempts: int) -> Iterator[dict[str, Any]]:
    before = _before(ask)
    yield from before
    if ask.algorithm == "grid":
        # Every trial was a point to try first or took the first unknown one of the grid: these are known.
        yield from itertools.islice(_grid(ask), max(0, ask.number - len(before)), None)
        return
    sampling = Sampling(ask, past)
    for attempt in range(attempts):
        yield sampling.draw(attempt)
    yield from itertools.islice(_whole(ask), WHOLE)


def _before(ask: Ask) -> list[dict[str, Any]]:
    """What comes before the sampler or the grid."""
    published: list[dict[str, Any]] = [] if ask.algorithm == "grid" else [{}]
    return [ask.point(given) for given in (*published, *ask.points)]


def _grid(ask: Ask) -> Iterator[dict[str, Any]]:
    return grid_points(ask.domains, ask.fixed, ask.context)


def _whole(ask: Ask) -> Iterator[dict[str, Any]]:
    """Every point of a finite space; nothing of another."""
    finite = {name: _finite(domain) for name, domain in ask.domains.items() if name not in ask.fixed}
    if any(domain is None for domain in finite.values()):
        return iter(())
    return grid_points({name: domain for name, domain in finite.items() if domain}, ask.fixed, ask.context)


def _finite(domain: Domain) -> Domain | None:
    """The domain as a choice; None for one with too many values."""
    if domain.int_ is None:
        return domain if domain.choice is not None else None
    low, high = domain.int_
    if high - low >= WIDE:
        return None
    alternative = () if domain.or_ is None else (domain.or_,)
    return domain.model_copy(update={"int_": None, "choice": (*alternative, *range(low, high + 1))})
