"""Kendall's tau of rungs, by hand and against scipy's, and what is said of it."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from kdbench.search.rungs.trust import trust

NAN = math.nan


def curves(at_rung: list[float], at_end: list[float], rung: int = 1, epochs: int = 9) -> list[dict[int, float]]:
    return [{rung: a, epochs: b} for a, b in zip(at_rung, at_end, strict=True)]


def test_tau_by_hand() -> None:
    """Four trials: at epoch 1 they stand 1 2 3 4, at the end 1 3 2 4: 5 of 6 pairs the same, 1 reversed: (5 - 1) / 6."""
    found = trust({"defeat": curves([1, 2, 3, 4], [11, 13, 12, 14])}, epochs=9, rungs=(1, 3))
    assert found.rows() == [(1, 4, pytest.approx(2 / 3)), (3, 0, None)]
    assert (found.pooled[0].pairs, found.pooled[0].same) == (6, 5)
    assert found.rows("defeat") == found.rows()


def test_ties_by_hand() -> None:
    """At epoch 1: 1 1 2 3, one tie of 6 pairs; at the end 4 5 6 6, one tie. Without the two, 4 pairs, all the same:
    tau-b = 4 / sqrt(5 * 5)."""
    found = trust({"a": curves([1, 1, 2, 3], [4, 5, 6, 6])}, epochs=9, rungs=(1,))
    assert found.rows() == [(1, 4, pytest.approx(0.8))]
    assert found.pooled[0].same == 4


def test_nothing_to_order() -> None:
    assert trust({"a": curves([1, 1, 1], [4, 5, 6])}, epochs=9, rungs=(1,)).rows() == [(1, 3, None)]
    assert trust({"a": curves([1], [4]), "b": []}, epochs=9, rungs=(1,)).rows() == [(1, 1, None)]
    assert trust({}, epochs=9, rungs=(1,)).rows() == [(1, 0, None)]


def test_arms_are_not_compared_with_each_other() -> None:
    """Within each arm all the same: tau 1 over 3 + 1 pairs. Taken together, b is behind at the rung and ahead at the end."""
    found = trust({"a": curves([5, 6, 7], [50, 60, 70]), "b": curves([1, 2], [80, 90])}, epochs=9, rungs=(1,))
    assert found.rows() == [(1, 5, 1.0)]
    assert found.pooled[0].pairs == 4
    assert (found.rows("a"), found.rows("b")) == ([(1, 3, 1.0)], [(1, 2, 1.0)])


def test_what_counts_at_a_rung_and_at_the_end() -> None:
    """At rung 3 the figure of epoch 4 (0.1 before 0.2), at rung 1 that of epoch 2 (0.9 before 0.1); at the end the best
    of the curve (0.9 before 0.8); who did not come to the end is left out."""
    evaluated = [{2: 0.9, 4: 0.1, 8: 0.3}, {2: 0.1, 4: 0.2, 6: 0.8, 8: 0.2}]
    stopped = {2: 0.0, 4: 0.9}
    assert trust({"a": [*evaluated, stopped]}, epochs=8, rungs=(8, 3, 1)).rows() == [(1, 2, 1.0), (3, 2, -1.0)]


def test_lower_is_better_and_nan_is_worst() -> None:
    """0.2, 0.3 and NaN at epoch 1; then 0.1, 0.2 and no figure at all. A miss rate ends at 0.1, 0.2, NaN: the same order,
    3 of 3. By an AP the best of the curves are 0.2, 0.3, NaN: at epoch 1 the same again."""
    points = [{1: 0.2, 9: 0.1}, {1: 0.3, 9: 0.2}, {1: NAN, 9: NAN}]
    assert trust({"a": points}, epochs=9, rungs=(1,), mode="min").rows() == [(1, 3, 1.0)]
    assert trust({"a": points}, epochs=9, rungs=(1,), mode="max").rows() == [(1, 3, 1.0)]
    turned = [{1: 0.2, 9: 0.05}, {1: 0.3, 9: 0.01}]
    assert trust({"a": turned}, epochs=9, rungs=(1,), mode="min").rows() == [(1, 2, -1.0)]
    assert trust({"a": turned}, epochs=9, rungs=(1,), mode="max").rows() == [(1, 2, 1.0)]


@pytest.mark.slow  # scipy.stats takes seconds to import
@pytest.mark.parametrize("n", [4, 7, 12, 30])
def test_scipys_tau_with_ties(n: int) -> None:
    from scipy.stats import kendalltau

    draw = random.Random(n)
    at_rung, at_end = ([round(draw.random() + offset, 1) for _ in range(n)] for offset in (0, 10))
    found = trust({"a": curves(at_rung, at_end)}, epochs=9, rungs=(1,)).pooled[0]
    assert found.tau == pytest.approx(kendalltau(at_rung, at_end).statistic)


@pytest.mark.parametrize("sizes", [(4,), (5,), (6,), (3, 3), (2, 4), (2, 2, 2)])
def test_chance_is_near_the_exact_one(sizes: tuple[int, ...]) -> None:
    """Exact: of all orders at the rung, arm by arm, the share that agrees with the end's as much or more."""
    orders = list(itertools.product(*(itertools.permutations(range(size)) for size in sizes)))
    chances = {}
    scores = []
    for order in orders:
        arms = {str(n): curves(list(one), list(range(10, 10 + len(one)))) for n, one in enumerate(order)}
        found = trust(arms, epochs=9, rungs=(1,)).pooled[0]
        scores.append(found.same)
        chances[found.same] = found.chance
    for same, chance in chances.items():
        assert chance == pytest.approx(sum(score >= same for score in scores) / len(scores), abs=0.03)


def test_the_sentence() -> None:
    """Six trials. At epoch 1 they stand 3 1 2 6 4 5 where they end 1 to 6: 4 reversed of 15, tau 7/15. At epoch 3 1 2 3 4 6 5:
    one reversed, tau 13/15, by chance in less than one of 100."""
    six = [
        {1: first, 3: third, 9: 10.0 + end}
        for end, (first, third) in enumerate(zip([3, 1, 2, 6, 4, 5], [1, 2, 3, 4, 6, 5], strict=True))
    ]
    found = trust({"icd": six}, epochs=9, rungs=(1, 3))
    assert found.sentence() == (
        "Can stopping early be trusted on this task?"
        " At epoch 1 no: of two trials of one arm, the one ahead there ended ahead in 11 of 15 pairs (tau 0.47, 6 trials)."
        " At epoch 3 yes: of two trials of one arm, the one ahead there ended ahead in 14 of 15 pairs (tau 0.87, 6 trials)."
        " Trials that were stopped are not in these figures."
    )
    assert found.sentence("icd") == found.sentence()
    assert found.text() == "epoch 1: tau 0.47, 6 trials; epoch 3: tau 0.87, 6 trials"


def test_of_few_trials_nothing_is_said() -> None:
    """Three trials are 3 pairs; two arms of three and two are 4; two arms of three are 6."""
    three, two = curves([1, 2, 3], [11, 12, 13]), curves([1, 2], [11, 12])
    assert trust({"a": three}, epochs=9, rungs=(1, 3)).sentence() == (
        "Whether stopping early can be trusted on this task cannot be told: too few trials were trained to the end"
        " (epoch 1: tau 1.00, 3 trials; epoch 3: no tau, 0 trials);"
        " it takes 5 pairs of trials of one arm whose figures differ."
    )
    assert "cannot be told" in trust({"a": three, "b": two}, epochs=9, rungs=(1,)).sentence()
    assert "At epoch 1 yes: " in trust({"a": three, "b": three}, epochs=9, rungs=(1,)).sentence()
    assert trust({"a": three}, epochs=9, rungs=()).sentence() == ""


def test_a_rung_without_figures_beside_one_with() -> None:
    said = trust({"a": curves([1, 2, 3, 4], [11, 12, 13, 14])}, epochs=9, rungs=(1, 3)).sentence()
    assert " At epoch 1 yes: " in said
    assert " At epoch 3 it cannot be told (no tau, 0 trials). " in said


def test_agreement_that_may_be_chance() -> None:
    """Four trials with one tie at the rung: 5 of 6 pairs the same, none reversed, tau-b 5 / sqrt(5 * 6) = 0.91; but
    (5 - 1) / sqrt(26 / 3) = 1.36 standard deviations, by chance in 9 of 100."""
    found = trust({"a": curves([1, 1, 3, 4], [11, 12, 13, 14])}, epochs=9, rungs=(1,))
    assert found.pooled[0].chance == pytest.approx(0.087, abs=0.001)
    assert "At epoch 1 perhaps, it may be chance: " in found.sentence()
