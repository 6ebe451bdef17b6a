"""What the race of the finalists saves and what it costs in certainty: planted recipes whose means are known.

Three finalists (or one) and the baseline, at least 3 and at most 10 seeds, seeds independent with a standard deviation of 0.3 points of
mAP. Beside the race the same figures are judged when everybody has all ten seeds.

`seeds` is how many were spent, of 40 (or 20). `best_leads`: the leader is (one of) the best. `best_stopped`: the race stopped (one of)
the best as behind the leader. `verdicts_race` and `verdicts_all`: the leaderboard says better or worse of the leader.

    python benchmarks/planted/race.py --repetitions 1000 --levels 0.05 0.01 -o benchmarks/results/planted_race.csv
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics

from kdbench.leaderboard.statistics import compare, corrected
from kdbench.search.arms.race import BEHIND, standing

NOISE, LEAST, MOST, BASELINE = 0.3, 3, 10, "none"
CASES = {
    "one, equal to the baseline": {"a": 0.0, BASELINE: 0.0},
    "one, 0.3 above the baseline": {"a": 0.3, BASELINE: 0.0},
    "all equal": {"a": 0.0, "b": 0.0, "c": 0.0, BASELINE: 0.0},
    "equal, above the baseline": {"a": 1.0, "b": 1.0, "c": 1.0, BASELINE: 0.0},
    "0.3 and 1 behind, above the baseline": {"a": 2.0, "b": 1.7, "c": 1.0, BASELINE: 0.0},
    "1 and 2 behind, above the baseline": {"a": 3.0, "b": 2.0, "c": 1.0, BASELINE: 0.0},
}

Figures = dict[str, dict[int, float | None]]


def measure(case: str, level: float, repetitions: int) -> dict[str, object]:
    """Percentages over the repetitions of a case, and the mean number of seeds."""
    means = CASES[case]
    best = {name for name in means if name != BASELINE and means[name] == max(means.values())}
    seen = []
    for number in range(repetitions):
        draw = random.Random(f"{case} {number}")
        whole: Figures = {name: {s: mean + draw.gauss(0, NOISE) for s in range(MOST)} for name, mean in means.items()}
        given: Figures = {name: {} for name in means}
        while (now := standing(given, BASELINE, least=LEAST, most=MOST, level=level)).going:
            for name in now.going:
                given[name][now.seeds] = whole[name][now.seeds]
        seen.append(
            {
                "seeds": sum(map(len, given.values())),
                "best_leads_race": 100 * (now.leader in best),
                "best_leads_all": 100 * (_top(whole) in best),
                "best_stopped": 100 * any(now.stopped[name].reason == BEHIND for name in best),
                "verdicts_race": 100 * (_verdict(given, now.leader) != "tie"),
                "verdicts_all": 100 * (_verdict(whole, _top(whole)) != "tie"),
            }
        )
    figures = {name: round(statistics.fmean(one[name] for one in seen), 1) for name in seen[0]}
    return {"case": case, "level": level, "repetitions": repetitions, **figures}


def _top(figures: Figures) -> str:
    """The best mean that is not the baseline's."""
    return max(figures.keys() - {BASELINE}, key=lambda name: (statistics.fmean(_values(figures, name).values()), name))


def _verdict(figures: Figures, name: str | None) -> str:
    """The leaderboard's, of one of the finalists."""
    names = [other for other in figures if other != BASELINE]
    family = corrected([compare(_values(figures, other), _values(figures, BASELINE)) for other in names])
    return family[names.index(str(name))].verdict


def _values(figures: Figures, name: str) -> dict[int, float]:
    return {seed: value for seed, value in figures[name].items() if value is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--levels", type=float, nargs="+", default=[0.05], help="a stop needs a p below this")
    parser.add_argument("-o", "--output", metavar="CSV")
    arguments = parser.parse_args()
    rows = [measure(case, level, arguments.repetitions) for level in arguments.levels for case in CASES]
    for row in rows:
        print(row)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
