"""Does halving find the best of ten planted arms more often than equal shares of the same budget do?

A planted study knows its answer. Figures are points of mAP. Drawn anew for each repetition:
  * the best value of an arm: one arm 0, each other 0.3 to 2 points below it (uniform);
  * the effect of its three parameters: the sum of the squared distances from the arm's best setting (in the middle
    three fifths of each range), scaled so that a random setting loses 0.5 to 1 point on average, and nine in ten lose less
    than some 1 to 2 points, by arm;
  * the published values, an arm's first trial: half way between its best setting and a random one, which is a good start
    (`published` 0.5), or no better than a random one (1.0);
  * the noise over seeds: normal, standard deviation 0.3 points, on every trial.
After the first trial an arm's proposals are random. The n-th trial of an arm is the same whoever allocates it, so the
columns are compared repetition by repetition. The rounds, shares and cuts are those of `kdbench.search.arms.allocation`.

Found is counted two ways: `best` is the arm of the best figure; `finalist` that the best arm is among the first three by
figure, which is where the race of the finalists starts from.

`last_arms` is how many arms halving has in its last round, on average.

    python benchmarks/planted/arms.py --repetitions 100 1000 -o benchmarks/results/planted_arms.csv
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Callable

import numpy as np

from kdbench.search.arms.allocation import cut, number_of_rounds, ranked, shares

ARMS = [f"arm{number}" for number in range(10)]
BUDGETS = (20, 40, 80, 160, 320, 640)
NOISE, GAPS, SPREADS = 0.3, (0.3, 2.0), (1.0, 2.0)
PARAMETERS = 3
PUBLISHED = (0.5, 1.0)
RULES = {
    "equal": (1, None),
    "halving": (number_of_rounds(len(ARMS)), NOISE),
    "halving_without_noise": (number_of_rounds(len(ARMS)), None),
}
"""The number of rounds, and the noise that the cut knows."""

Trials = Callable[[str, int], float]
"""The figure of an arm's n-th trial (from 0)."""


def planted(seed: int, most: int, published: float) -> tuple[str, Trials]:
    """A study's answer, and its trials: up to `most` of each arm; the first one that share of the way off the optimum."""
    draw = np.random.default_rng(seed)
    best = str(draw.choice(ARMS))
    figures = {}
    for arm in ARMS:
        height = 0.0 if arm == best else -draw.uniform(*GAPS)
        spread = draw.uniform(*SPREADS)
        optimum = draw.uniform(0.2, 0.8, PARAMETERS)
        settings = draw.uniform(0, 1, (most, PARAMETERS))
        settings[0] = optimum + published * (settings[0] - optimum)
        mean = np.mean((draw.uniform(0, 1, (10_000, PARAMETERS)) - optimum) ** 2) * PARAMETERS
        losses = spread / 2 * np.sum((settings - optimum) ** 2, axis=1) / mean
        figures[arm] = height - losses + draw.normal(0, NOISE, most)
    return best, lambda arm, number: float(figures[arm][number])


def allocate(trials: Trials, budget: int, rounds: int, noise: float | None) -> tuple[list[str], int]:
    """The arms, the best first by their best figures, when the budget is spent; and how many were in the last round."""
    seen: dict[str, list[float]] = {arm: [] for arm in ARMS}
    standing, left = ARMS, budget
    for rounds_left in range(rounds, 0, -1):
        for arm, count in shares(standing, rounds_left, left).items():
            seen[arm] += [trials(arm, number) for number in range(len(seen[arm]), len(seen[arm]) + count)]
            left -= count
        if rounds_left > 1:
            standing, _ = cut({arm: max(seen[arm], default=None) for arm in standing}, noise)
    assert left == 0
    return ranked({arm: max(values, default=None) for arm, values in seen.items()}), len(standing)


def measure(repetitions: int, published: float, budget: int) -> dict[str, object]:
    """How often, in percent, each rule finds the best arm."""
    row: dict[str, object] = {"repetitions": repetitions, "published": published, "trials": budget}
    answers = [planted(seed, max(BUDGETS), published) for seed in range(repetitions)]
    for rule, (rounds, noise) in RULES.items():
        orders = [(best, *allocate(trials, budget, rounds, noise)) for best, trials in answers]
        row[f"{rule}_best"] = round(100 * sum(order[0] == best for best, order, _ in orders) / repetitions, 1)
        row[f"{rule}_finalist"] = round(100 * sum(best in order[:3] for best, order, _ in orders) / repetitions, 1)
        if rounds > 1:
            row[f"{rule}_last_arms"] = round(sum(last for _, _, last in orders) / repetitions, 1)
    return row


def main() -> None:
    arguments = parse()
    rows = []
    for repetitions, published, budget in itertools.product(arguments.repetitions, PUBLISHED, BUDGETS):
        rows.append(measure(repetitions, published, budget))
        print(rows[-1])
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, nargs="+", default=[100])
    parser.add_argument("-o", "--output", metavar="CSV")
    return parser.parse_args()


if __name__ == "__main__":
    main()
