"""How long the leaderboard takes over a thousand runs: from SQLite, and from a tracking server over HTTP.

The runs are written by kdbench's own Tracker: 20 studies on two tasks, each with a baseline, its trials and finalists, real
recipes as params, metrics of each epoch. Timed is the whole command, `kdbench leaderboard --format csv`, as a user waits for it; in turn
with it `import mlflow` in a process of its own, because machines are noisy and that part is not ours.

    python benchmarks/perf/leaderboard_scale.py --runs 1000 --rounds 7 -o benchmarks/results/leaderboard_scale.csv
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kdbench.specs.recipe import Recipe, task_recipe
from kdbench.specs.task import load_task
from kdbench.tracking import store, ui
from kdbench.tracking.server import Server
from kdbench.tracking.writer import Tracker

EPOCHS, SEEDS = 8, 3
TASKS = ("shapes", "bccd")
METHODS = ("none", "fitnet", "pkd", "cwd", "defeat")


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        began = time.perf_counter()
        made = write_runs(home, arguments.runs)
        print(f"{made} runs written in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        rows = [measure("SQLite", ["--storage", str(home)], made, arguments.rounds)]
        uri, port = store.tracking_uri(home), ui.choose_port("127.0.0.1", None)
        command, environment = ui.ui_command(uri, home, port=port)
        with Server(command, environment, f"http://127.0.0.1:{port}", home) as server:
            server.wait_until_it_answers()
            where = ["--tracking-uri", f"http://127.0.0.1:{port}"]
            rows.append(measure("server over HTTP", where, made, arguments.rounds))
    for row in rows:
        print(row)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-o", "--output", metavar="CSV")
    return parser.parse_args()


def write_runs(home: Path, count: int) -> int:
    """Write `count` trials as the driver of a study does; how many."""
    tracker = Tracker(store.tracking_uri(home), home)
    made, number = 0, 0
    while made < count:
        task = load_task(TASKS[number % 2])
        study = f"study-{number:03d}"
        tracker.open_study(task.name, study, tags={}, params={})
        for place in range(min(50, count - made)):
            method = METHODS[0] if place < 10 else METHODS[1 + number % 4]
            stage = "final" if place % 10 >= 10 - SEEDS else "search"
            lr = 0.001 * (1 + (place // 10))
            recipe = task_recipe(task, method, {"weight": 1.0 + place // 10}, {"lr": lr}, None, place % 10)
            write_run(tracker, study, f"{method}-{place:03d}", stage, recipe)
            made += 1
        tracker.close_study(task.name, study, summary={"delta": 0.1}, status="FINISHED")
        number += 1
    if tracker.problem:
        raise SystemExit(tracker.problem)
    return made


def write_run(tracker: Tracker, study: str, trial: str, stage: str, recipe: Recipe) -> None:
    key = tracker.open_trial(
        recipe.task,
        study,
        trial,
        method=recipe.method.name,
        recipe=recipe.plain(),
        recipe_hash=recipe.hash,
        config_hash=recipe.config_hash,
        seed=recipe.seed,
        teacher=None,
        stage=stage,
        tags={},
    )
    figures = {f"val/{name}": 0.3 for name in ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m")}
    for epoch in range(1, EPOCHS + 1):
        tracker.log_epoch(
            key, epoch, {**figures, "train/loss": 1 / epoch, "lr": recipe.schedule.lr, "sec_per_iter": 0.1}
        )
    best = 0.25 + 0.001 * (hash(recipe.hash) % 50)
    summary = {"best/mAP": best, "cost/device_hours": 0.02, "cost/peak_memory_gb": 1.4, "cost/params_m": 0.84}
    if stage == "final":
        summary["report/mAP"] = best - 0.01
    tracker.close(key, "completed", summary=summary, reason=None, artifacts=[])


def measure(name: str, where: list[str], runs: int, rounds: int) -> dict[str, object]:
    """Seconds of the command and of the import, in turn; the first round only warms the disk's cache."""
    ours, floor = [], []
    for _ in range(rounds + 1):
        floor.append(seconds([sys.executable, "-c", "import mlflow"]))
        ours.append(seconds([sys.executable, "-m", "kdbench", "leaderboard", "--format", "csv", *where]))
    pairs = [own / plain for own, plain in zip(ours[1:], floor[1:], strict=True)]
    return {
        "from": name,
        "runs": runs,
        "rounds": rounds,
        "seconds_median": round(statistics.median(ours[1:]), 2),
        "seconds_best": round(min(ours[1:]), 2),
        "import_mlflow_median": round(statistics.median(floor[1:]), 2),
        "import_mlflow_best": round(min(floor[1:]), 2),
        "ratio_median": round(statistics.median(pairs), 2),
        "cpus": os.cpu_count(),
    }


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
