"""What a search costs beside its trainings: trials that report at once, through the real board, Ray Tune and MLflow.

Each trial reports eight evaluations and ends; nothing is trained. Printed are wall seconds and the driver's CPU seconds a
trial, and how the driver's memory grew with the evaluations.

    python benchmarks/perf/orchestration.py --trials 600 -o benchmarks/results/orchestration.csv
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

EPOCHS = 8


def instant(config: dict[str, Any]) -> None:
    """The trainable: eight evaluations of a curve that depends on the proposal, and an end."""
    from ray import tune

    payload = json.loads(config["payload"])
    height = 0.3 - 0.02 * abs(math.log10(payload["weight"]))
    for epoch in range(1, EPOCHS + 1):
        value = height * (1 - math.exp(-epoch / 2))
        metrics = {"val/mAP": value, "train/loss": 1 / epoch, "lr": 0.001, "cost/device_hours": 0.001 * epoch}
        event = {"event": "report", "epoch": epoch, "value": value, "metrics": metrics}
        tune.report({"kdbench": json.dumps(event), "value": value})
    summary = {"best/mAP": value, "cost/device_hours": 0.008}
    end = {"event": "end", "end": "completed", "reason": None, "summary": summary}
    tune.report({"kdbench": json.dumps(end), "value": 0.0})


def plan(trials: int, arms: int, scheduler: str) -> Any:
    from kdbench.specs.space import Domain, SpaceSpec
    from kdbench.specs.study import Arm, StudyPlan
    from kdbench.specs.task import load_task

    task = load_task("shapes").model_copy(update={"search_training": ()})
    task = task.model_copy(
        update={
            "schedule": task.schedule.with_epochs(EPOCHS),
            "baseline": task.baseline.model_copy(update={"trials": 1}),
        }
    )
    space = {f"weight{n}": Domain(loguniform=(0.01, 100.0)) for n in range(5)}
    made = tuple(
        Arm(
            name=f"arm{n}",
            method="fitnet",
            taught=False,
            space=SpaceSpec(method="fitnet", params=space),
            defaults=dict.fromkeys(space, 1.0),
        )
        for n in range(arms)
    )
    more = {"scheduler": scheduler, "allocate": "equal", "reuse": False}
    return StudyPlan(study="instant", task=task, arms=made, detector="one_stage", trials=trials, **more)


def run(trials: int, arms: int, scheduler: str, concurrent: int) -> dict[str, float]:
    """One study; its figures."""
    from kdbench.running import tuning
    from kdbench.running.driving import Crew, drive
    from kdbench.search import folders
    from kdbench.search.board import Board
    from kdbench.tracking.writer import open_tracker

    tuning.run_trial = instant
    made, process = plan(trials, arms, scheduler), psutil.Process()
    made = made.model_copy(update={"resources": made.resources.model_copy(update={"concurrent": concurrent})})
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        tracker = open_tracker(None, storage)
        crew = Crew(tracker, storage)
        study = folders.create(storage, made)
        board = Board(made, study, teacher_ready=True, listeners=crew.listeners)
        tracker.open_study(made.task.name, made.study, tags={}, params={})
        crew.join(board, ())
        seen: list[tuple[int, int]] = []

        def payload(trial: Any) -> dict[str, Any]:
            seen.append((sum(len(t.reports) for t in board.trials.values()), process.memory_info().rss))
            return {"weight": float(trial.proposal.get("weight0", 1.0))}

        began, cpu = time.perf_counter(), time.process_time()
        drive(board, crew, payload, processes=1, address=None, on_interrupt=lambda: None)
        wall, own = time.perf_counter() - began, time.process_time() - cpu
        count, evaluations = len(board.trials), sum(len(t.reports) for t in board.trials.values())
        # The first tenth loads libraries; what comes after grows with the number of evaluations alone.
        (first, before), (last, after) = seen[len(seen) // 10], seen[-1]
    return {
        "trials": count,
        "evaluations": evaluations,
        "wall_s_a_trial": round(wall / count, 4),
        "driver_cpu_s_a_trial": round(own / count, 4),
        "driver_kb_an_evaluation": round((after - before) / 1024 / max(1, last - first), 3),
        "load_after": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--arms", type=int, default=3)
    parser.add_argument("--scheduler", default="none")
    parser.add_argument("--concurrent", type=int, default=2)
    parser.add_argument("-o", dest="output", type=Path)
    arguments = parser.parse_args()
    figures = run(arguments.trials, arguments.arms, arguments.scheduler, arguments.concurrent)
    row = {"arms": arguments.arms, "scheduler": arguments.scheduler, "concurrent": arguments.concurrent, **figures}
    print(row)
    if arguments.output:
        from rows import append  # beside this script

        append(arguments.output, row)


if __name__ == "__main__":
    main()
