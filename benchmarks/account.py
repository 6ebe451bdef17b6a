"""What a study of several methods did and spent, beside what one search of each method would have spent.

Written is one line for each trial: how far it was trained, its end, its best figure, its device-hours. Printed is the
sum, and what single searches of the same number of trials would cost: each with a baseline and a race of its own, every
trial trained to its end, at the mean cost that a whole trial of that arm had in this study. Computed, not run.

    python benchmarks/account.py all-shapes --storage runs -o benchmarks/results/all_shapes_trials.csv
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from kdbench.search import folders
from kdbench.search.arms.budget import Budget, spent
from kdbench.search.board import Board
from kdbench.specs.paths import storage_folder
from kdbench.specs.study import BASELINE


def singles(board: Board) -> float:
    """Device-hours of one search of each arm, after the teacher is there."""
    plan, budget = board.plan, Budget(board.plan, board.trials)
    races = plan.seeds if plan.seeds > 1 else 0
    baseline = (plan.baselines + races) * budget.expected(BASELINE)
    return sum(baseline + (len(board.rounds.of(arm.name)) + races) * budget.expected(arm.name) for arm in plan.arms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--storage")
    parser.add_argument("-o", "--output", metavar="CSV", required=True, type=Path)
    arguments = parser.parse_args()
    folder, plan = folders.open_any(storage_folder(arguments.storage), arguments.study)
    board = Board(plan, folder, teacher_ready=True, listeners=[])
    with open(arguments.output, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["trial", "arm", "stage", "values_of", "epochs", "end", "reason", "best", "device_hours"])
        for trial in board.trials.values():
            cost = trial.summary.get("cost/device_hours", "")
            far = max(trial.reports, default=0)
            own = [trial.id, trial.arm, trial.stage, trial.origin or "", far, trial.end, trial.reason or ""]
            table.writerow([*own, trial.best, cost if cost == "" else round(cost, 5)])
    teacher = spent(t for t in board.trials.values() if t.stage == "teacher")
    whole = spent(board.trials.values()) - teacher
    apart = singles(board)
    print(f"teacher {teacher:.3f}, the rest {whole:.3f} device-hours")
    print(f"{len(plan.arms)} single searches, the teacher there already: {apart:.3f}; ratio {apart / whole:.2f}")
    for drop in board.rounds.drops.values():
        print(drop)
    for begun in board.rounds.rounds:
        print(begun)


if __name__ == "__main__":
    main()
