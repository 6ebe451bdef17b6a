"""Every training of a study or suite with its own figures, one line each: what the leaderboard's means are made of.

python benchmarks/raw_figures.py methods_bccd-quick --storage runs -o benchmarks/results/methods_bccd_runs.csv
"""

from __future__ import annotations

import argparse
import csv

from kdbench.search.finding import trainings
from kdbench.specs.paths import storage_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--storage")
    parser.add_argument("-o", "--output", metavar="CSV", required=True)
    arguments = parser.parse_args()
    runs = list(trainings(storage_folder(arguments.storage), arguments.study))
    if not runs:
        raise SystemExit(f"no study {arguments.study!r} in {storage_folder(arguments.storage)}")
    names = sorted({name for run in runs for name in run.summary})
    with open(arguments.output, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["trial", "task", "method", "seed", "recipe", "end", *names])
        for run in runs:
            own = [run.trial, run.recipe.task, run.recipe.method.name, run.recipe.seed, run.recipe.hash, run.end]
            table.writerow([*own, *(run.summary.get(name, "") for name in names)])


if __name__ == "__main__":
    main()
