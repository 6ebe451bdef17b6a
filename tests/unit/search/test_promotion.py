"""Pausing and promoting, against promotions worked by hand, the rule as Syne Tune states it, and random studies."""

from __future__ import annotations

import math
import random
from typing import Any, Literal

import numpy as np
import pytest

from kdbench.search.rungs.promotion import Promotion

NAN = math.nan


def fed(figures: dict[str, float], epoch: int = 1, **options: Any) -> Promotion:
    """Nine epochs (rungs 1 and 3) unless told otherwise; everyone has reported once and waits."""
    promotion = Promotion(**{"epochs": 9, **options})
    for trial, value in figures.items():
        assert promotion.report(trial, epoch, value)
    return promotion


def drained(promotion: Promotion) -> list[str]:
    """Promote whoever may be, until no one may."""
    order = []
    while (trial := promotion.next()) is not None:
        promotion.promote(trial)
        order.append(trial)
    return order


def test_one_device_by_hand() -> None:
    """One device, 9 epochs, rungs at 1 and 3; what the device does is what algorithm 2's get_job returns.

    epoch 1 of a 0.10, b 0.30, c 0.20: rung 1 is b c a, n = 3, the best floor(3/3) = 1 is b: promoted.
    b at epoch 3: 0.35. Rung 3 has n = 1, floor(1/3) = 0: no one. Rung 1: of b c a only b, promoted already. So new ones:
    d 0.40: rung 1 is d b c a, floor(4/3) = 1: d. Promoted. At epoch 3: 0.45; rung 3 is d b, floor(2/3) = 0.
    e 0.25: d b e c a, floor(5/3) = 1: d only. f 0.05: n = 6, the best 2 are d b: both are on their way.
    g 0.28: d b g e c a f, floor(7/3) = 2: no one. h 0.01: n = 8, 2. i 0.02: n = 9, the best 3 are d b g: g, 6 trials late.
    g at epoch 3: 0.50. Rung 3 is g d b, n = 3: g, from the higher rung, to the end.
    """
    promotion = Promotion(epochs=9)
    assert promotion.rungs == (1, 3)
    assert [promotion.report(t, 1, v) for t, v in (("a", 0.10), ("b", 0.30), ("c", 0.20))] == [True] * 3
    assert promotion.waiting == ("b", "c", "a")
    assert drained(promotion) == ["b"]
    assert [promotion.report("b", epoch, value) for epoch, value in ((2, 0.9), (3, 0.35))] == [False, True]
    assert promotion.next() is None
    assert promotion.waiting == ("b", "c", "a")
    promotion.report("d", 1, 0.40)
    assert drained(promotion) == ["d"]
    promotion.report("d", 3, 0.45)
    for trial, value in (("e", 0.25), ("f", 0.05), ("g", 0.28), ("h", 0.01)):
        assert promotion.report(trial, 1, value)
        assert promotion.next() is None
    promotion.report("i", 1, 0.02)
    assert drained(promotion) == ["g"]
    assert promotion.report("g", 3, 0.50)
    assert drained(promotion) == ["g"]
    assert [promotion.report("g", epoch, 0.6) for epoch in range(4, 10)] == [False] * 6
    assert promotion.waiting == ("d", "b", "e", "c", "a", "f", "i", "h")


def test_the_higher_rung_comes_first() -> None:
    """Rung 1: a to f with 0.6 ... 0.1, a and b go on; c has not its turn. Three more at rung 1 make room for c, and at the
    same time rung 3 is full: a 0.5, b 0.7, x 0.6 (exempt, so it never waited). The best of rung 3, b, comes before c."""
    promotion = fed({"a": 0.6, "b": 0.5, "c": 0.4, "d": 0.3, "e": 0.2, "f": 0.1})
    assert drained(promotion) == ["a", "b"]
    promotion.exempt("x")
    assert [promotion.report("x", 1, 0.0), promotion.report("x", 3, 0.6)] == [False, False]
    for trial, value in (("y", 0.05), ("z", 0.04)):
        promotion.report(trial, 1, value)
    promotion.report("a", 3, 0.5)
    promotion.report("b", 3, 0.7)
    assert drained(promotion) == ["b", "c"]
    assert promotion.waiting == ("a", "d", "e", "f", "y", "z")


def test_of_equals_the_earlier() -> None:
    assert drained(fed({"c": 0.2, "a": 0.2, "b": 0.2, "d": 0.1, "e": 0.2, "f": 0.2})) == ["c", "a"]


def test_lower_is_better() -> None:
    promotion = fed({"a": 0.6, "b": 0.4, "c": NAN, "d": 0.5, "e": 0.7, "f": 0.8}, mode="min")
    assert promotion.waiting == ("b", "d", "a", "e", "f", "c")
    assert drained(promotion) == ["b", "d"]


def test_nan_is_worst() -> None:
    assert fed({"a": NAN, "b": 0.0, "c": -1.0}).waiting == ("b", "c", "a")


def test_an_exempt_trial_takes_its_place_but_never_waits() -> None:
    """x is the best of three: the one place of the rung is its, and it is on its way already."""
    promotion = Promotion(epochs=9)
    promotion.exempt("x")
    assert not promotion.report("x", 1, 0.9)
    assert promotion.report("a", 1, 0.5)
    assert promotion.report("b", 1, 0.1)
    assert promotion.next() is None
    assert promotion.leader() is None
    assert promotion.waiting == ("a", "b")


def test_who_is_gone_keeps_its_place() -> None:
    """Of seven two go on, a and b; a is gone, so b alone. Without a's figure n would be 6, and c the second to go on."""
    promotion = fed({"a": 0.6, "b": 0.5, "c": 0.4, "d": 0.3, "e": 0.2, "f": 0.1, "g": 0.05})
    promotion.gone("a")
    assert promotion.waiting == ("b", "c", "d", "e", "f", "g")
    assert drained(promotion) == ["b"]


def test_gone_while_it_trains_and_started_again() -> None:
    """b failed after its promotion. A retry reports from where it stood: it waits at the next rung as any other."""
    promotion = fed({"a": 0.1, "b": 0.3, "c": 0.2})
    promotion.promote("b")
    promotion.gone("b")
    assert promotion.waiting == ("c", "a")
    assert not promotion.report("b", 2, 0.3)
    assert promotion.report("b", 3, 0.4)
    assert promotion.waiting == ("b", "c", "a")


def test_only_who_waits_is_promoted() -> None:
    with pytest.raises(KeyError):
        fed({"a": 0.1}).promote("b")


@pytest.mark.parametrize("epochs", [1, 2])
def test_no_rung_no_waiting(epochs: int) -> None:
    promotion = Promotion(epochs, grace=2)
    assert promotion.rungs == ()
    assert not promotion.report("a", 1, 0.5)
    assert (promotion.next(), promotion.leader(), promotion.waiting) == (None, None, ())


def test_reports_that_skip_a_rung() -> None:
    """Evaluated every 2 epochs, rungs 1, 3, 9 of 10: the figure of epoch 2 is that at rung 1, that of 4 that at rung 3.

    The last epoch is the end: the figure of epoch 10 counts at rung 9 and no one waits there.
    """
    promotion = Promotion(epochs=10)
    assert [promotion.report("a", epoch, 0.1 * epoch) for epoch in (2,)] == [True]
    promotion.promote("a")
    assert promotion.report("a", 4, 0.4)
    promotion.promote("a")
    assert [promotion.report("a", epoch, 0.5) for epoch in (6, 8, 10)] == [False] * 3
    assert promotion.waiting == ()
    assert promotion.report("b", 2, 0.3)  # compared with 0.2, a's figure of epoch 2
    assert promotion.leader() == "b"


def test_a_report_past_two_rungs_waits_at_the_higher() -> None:
    """Evaluated every 5 epochs: the first figure is that at rungs 1 and 3. To wait at both would ask the same twice."""
    promotion = fed({"a": 0.1, "b": 0.3, "c": 0.2}, epoch=5)
    assert drained(promotion) == ["b"]
    assert not promotion.report("b", 9, 0.4)
    assert promotion.report("d", 1, 0.25)  # rung 1 has the figures of a, b and c too: it is second of four
    assert promotion.waiting == ("c", "a", "d")
    assert promotion.leader() is None


def test_a_report_while_it_waits_changes_nothing() -> None:
    promotion = fed({"a": 0.1, "b": 0.3, "c": 0.2})
    assert promotion.report("a", 1, 0.9)
    assert promotion.report("a", 3, 0.9)
    assert promotion.waiting == ("b", "c", "a")


def test_the_leader() -> None:
    """Two at rung 1: no one may go on by the rule, b is the best of all there. Promoted, it is the leader of rung 3, though
    c has a better figure at rung 1; then c leads rung 1; then a, behind c, leads nothing."""
    promotion = fed({"a": 0.1, "b": 0.3})
    assert (promotion.next(), promotion.leader()) == (None, "b")
    promotion.promote("b")
    assert promotion.leader() is None
    promotion.report("b", 3, 0.2)
    promotion.report("c", 1, 0.4)
    assert promotion.leader() == "b"
    promotion.promote("b")
    assert promotion.leader() == "c"
    promotion.promote("c")
    assert promotion.leader() is None
    promotion.report("c", 3, 0.1)  # behind b's 0.2
    assert promotion.leader() is None


def syne_tunes(figures: dict[str, float]) -> list[str]:
    """Syne Tune's rule: promote the best that waits while it reaches numpy.quantile(figures, 1 - 1/3), of two or more."""
    if len(figures) < 2:
        return []
    bar = np.quantile(list(figures.values()), 1 - 1 / 3)
    return [trial for trial in sorted(figures, key=lambda trial: -figures[trial]) if figures[trial] >= bar]


@pytest.mark.parametrize("n", range(1, 31))
def test_syne_tunes_rule(n: int) -> None:
    """As its `PromotionRungSystem` and `Rung.quantile` are documented. The same wherever 3 divides n; elsewhere the
    interpolated quantile lets one more pass than the paper's floor(n/3), of two trials one."""
    draw = random.Random(n)
    figures = {f"trial-{number}": draw.random() for number in range(n)}
    ours, theirs = drained(fed(figures)), syne_tunes(figures)
    assert len(ours) == n // 3
    assert ours == theirs[: len(ours)]
    assert n % 3 or ours == theirs
    if n % 3 == 2:  # where 3 divides n - 1 the bar is a figure itself, and rounding decides
        assert len(theirs) == len(ours) + 1


def test_syne_tunes_promotions_from_27_to_one() -> None:
    """27 trials of 28 epochs: 9 of 27, 3 of 9, 1 of 3, in the same order by both rules."""
    draw = random.Random(0)
    promotion = Promotion(epochs=28)
    figures = {f"trial-{number:02d}": draw.random() for number in range(27)}
    sizes = []
    for rung in promotion.rungs:
        for trial, value in figures.items():
            assert promotion.report(trial, rung, value)
        promoted = drained(promotion)
        assert promoted == syne_tunes(figures)
        sizes.append(len(promoted))
        figures = {trial: draw.random() for trial in promoted}
    assert (promotion.rungs, sizes) == ((1, 3, 9, 27), [9, 3, 1, 0])


def ahead(figures: list[tuple[str, float]], trial: str, mode: Literal["max", "min"]) -> int:
    """How many stand before it, of (trial, figure) in the order of arrival; by counting, not by sorting."""
    place, own = next((place, value) for place, (name, value) in enumerate(figures) if name == trial)

    def before(other: int, value: float) -> bool:
        if math.isnan(value) or math.isnan(own):
            return math.isnan(own) and (not math.isnan(value) or other < place)
        if value == own:
            return other < place
        return value > own if mode == "max" else value < own

    return sum(before(other, value) for other, (_, value) in enumerate(figures) if other != place)


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(("epochs", "grace", "step"), [(8, 1, 1), (27, 1, 1), (30, 2, 1), (20, 1, 2), (16, 1, 5)])
def test_only_the_best_third_is_promoted_and_no_one_of_it_forgotten(
    mode: Literal["max", "min"], epochs: int, grace: int, step: int
) -> None:
    """Random curves with equal figures and NaN, four devices; some trials are lost, some exempt. And fed again, all is as it was."""
    draw = random.Random(f"{mode} {epochs} {grace} {step}")
    promotion = Promotion(epochs, grace, mode=mode)
    arrived: dict[int, list[tuple[str, float]]] = {rung: [] for rung in promotion.rungs}
    waits: dict[str, int] = {}
    done: dict[str, int] = {}
    running: list[str] = []
    events: list[tuple[Any, ...]] = []
    answers: list[Any] = []
    promotions = 0

    def tell(target: Promotion, event: tuple[Any, ...]) -> tuple[Any, ...]:
        answer = getattr(target, event[0])(*event[1:])
        return answer, target.next(), target.waiting, target.leader()

    def happened(*event: Any) -> Any:
        events.append(event)
        answers.append(tell(promotion, event))
        return answers[-1][0]

    while len(done) < 90 or running:
        while len(running) < 4:
            trial = promotion.next()
            fits = {
                name: rung for name, rung in waits.items() if ahead(arrived[rung], name, mode) < len(arrived[rung]) // 3
            }
            if trial is not None:
                assert waits[trial] == max(fits.values())
                rung = arrived[waits.pop(trial)]
                place = ahead(rung, trial, mode)
                assert place == min(ahead(rung, name, mode) for name, at in fits.items() if arrived[at] is rung)
                happened("promote", trial)
                promotions += 1
            elif len(done) < 90:
                assert not fits
                trial = f"trial-{len(done)}"
                done[trial] = 0
                if draw.random() < 0.05:
                    happened("exempt", trial)
            else:
                assert not fits
                break
            running.append(trial)
        if not running:
            break
        trial = running.pop(draw.randrange(len(running)))
        if draw.random() < 0.02:
            happened("gone", trial)
            continue
        done[trial] = min(epochs, done[trial] + step)
        value = draw.choice([NAN, *(round(draw.random(), 1) for _ in range(20))])
        reached = [
            rung for rung, those in arrived.items() if rung <= done[trial] and trial not in {name for name, _ in those}
        ]
        for rung in reached:
            arrived[rung].append((trial, value))
        exempt = ("exempt", trial) in events
        stays = bool(reached) and not exempt and done[trial] < epochs
        assert happened("report", trial, done[trial], value) == stays
        if stays:
            waits[trial] = reached[-1]
        elif done[trial] < epochs:
            running.append(trial)
    assert promotions > 20  # the curves put something to the test
    assert set(promotion.waiting) == set(waits)
    again = Promotion(epochs, grace, mode=mode)
    assert [tell(again, event) for event in events] == answers
