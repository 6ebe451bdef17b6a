"""Does halving find the best of ten planted arms more often than equal shares of the same budget do?

A planted study knows its answer. Figures are points of mAP. Drawn anew for each repetition:
  * the best value of an arm: one arm 0, each other 0.3 to 2 points below it (uniform);
  * the effect of its three parameters: the sum of the squared distances from the arm's best setting (in the middle
    three fifths of each range), scaled so that a random setting loses 0.5 to 1 point on average, and nine in ten lose less
    than some 1 to 2 points, by arm;
  * the published values, an arm's first trial: half way between its best setting and a random one;
  * the noise over seeds: normal, standard deviation 0.3 points, on every trial.
After the first trial an arm's proposals are random. The n-th trial of an arm is the same whoever allocates it, so the
columns are compared repetition by repetition. The rounds, shares and cuts are those of `kdbench.search.allocation`.

Found is counted two ways: `best` is the arm of the best figure; `finalist` that the best arm is among the first three by
figure, which is where the race of the finalists starts from.

    python benchmarks/planted/arms.py --repetitions 100 -o benchmarks/results/planted_arms.csv
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable

import numpy as np

from kdbench.search.allocation import cut, number_of_rounds, ranked, shares

ARMS = [f"arm{number}" for number in range(10)]
BUDGETS = (20, 40, 80, 160, 320, 640)
NOISE, GAPS, SPREADS = 0.3, (0.3, 2.0), (1.0, 2.0)
PARAMETERS = 3

Trials = Callable[[str, int], float]
"""The figure of an arm's n-th trial (from 0)."""


def planted(seed: int, most: int) -> tuple[str, Trials]:
    """A study's answer, and its trials: up to `most` of each arm."""
    draw = np.random.default_rng(seed)
    best = str(draw.choice(ARMS))
    figures = {}
    for arm in ARMS:
        height = 0.0 if arm == best else -draw.uniform(*GAPS)
        spread = draw.uniform(*SPREADS)
        optimum = draw.uniform(0.2, 0.8, PARAMETERS)
        settings = draw.uniform(0, 1, (most, PARAMETERS))
        settings[0] = (settings[0] + optimum) / 2
        mean = np.mean((draw.uniform(0, 1, (10_000, PARAMETERS)) - optimum) ** 2) * PARAMETERS
        losses = spread / 2 * np.sum((settings - optimum) ** 2, axis=1) / mean
        figures[arm] = height - losses + draw.normal(0, NOISE, most)
    return best, lambda arm, number: float(figures[arm][number])


def equal(trials: Trials, budget: int) -> list[str]:
    """The arms, the best first, after the same number of trials for each."""
    return allocate(trials, budget, rounds=1, noise=None)


def halving(trials: Trials, budget: int) -> list[str]:
    """The same after sequential halving, where the noise of the task is known."""
    return allocate(trials, budget, rounds=number_of_rounds(len(ARMS)), noise=NOISE)


def halving_without_noise(trials: Trials, budget: int) -> list[str]:
    """The same where it is not: exactly the worse half goes."""
    return allocate(trials, budget, rounds=number_of_rounds(len(ARMS)), noise=None)


def allocate(trials: Trials, budget: int, rounds: int, noise: float | None) -> list[str]:
    """The arms, the best first by their best figures, when the budget is spent."""
    seen: dict[str, list[float]] = {arm: [] for arm in ARMS}
    standing, left = ARMS, budget
    for rounds_left in range(rounds, 0, -1):
        for arm, count in shares(standing, rounds_left, left).items():
            seen[arm] += [trials(arm, number) for number in range(len(seen[arm]), len(seen[arm]) + count)]
            left -= count
        if rounds_left > 1:
            standing, _ = cut({arm: max(seen[arm], default=None) for arm in standing}, noise)
    assert left == 0
    return ranked({arm: max(values, default=None) for arm, values in seen.items()})


def main() -> None:
    arguments = parse()
    rows = []
    for budget in BUDGETS:
        row: dict[str, object] = {"trials": budget, "repetitions": arguments.repetitions}
        answers = [planted(seed, max(BUDGETS)) for seed in range(arguments.repetitions)]
        for rule in (equal, halving, halving_without_noise):
            orders = [(best, rule(trials, budget)) for best, trials in answers]
            row[f"{rule.__name__}_best"] = sum(order[0] == best for best, order in orders)
            row[f"{rule.__name__}_finalist"] = sum(best in order[:3] for best, order in orders)
        print(row)
        rows.append(row)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("-o", "--output", metavar="CSV")
    return parser.parse_args()


if __name__ == "__main__":
    main()
