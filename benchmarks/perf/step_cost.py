"""What a distillation step costs: its time over (a plain student step + a teacher forward without gradient).

1.0 is the floor: no method that runs a teacher can be cheaper. The three are measured in turn, round by round, in one
process, so that a machine whose speed drifts moves them all; the ratio is the median over the rounds.

    python benchmarks/perf/step_cost.py shapes defeat
    python benchmarks/perf/step_cost.py coco/faster_rcnn_r101_r50_1x defeat --synthetic --samples-per-gpu 2 --device cuda --fp16
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import torch


def main() -> None:
    arguments = parse()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    from three_steps import StepCost  # beside this script

    bench = StepCost(
        arguments.task,
        arguments.method,
        device=arguments.device,
        fp16=arguments.fp16,
        samples_per_gpu=arguments.samples_per_gpu,
        synthetic=arguments.synthetic,
        storage=arguments.storage,
        data_root=arguments.data_root,
        params=json.loads(arguments.params),
    )
    for _ in range(arguments.warmup):
        bench.round()
    rounds: list[dict[str, float]] = []
    peak = {}
    for index in range(arguments.rounds):
        rounds.append(bench.round())
        if sys.stderr.isatty():
            print(f"\rround {index + 1}/{arguments.rounds}", end="", file=sys.stderr)
    if torch.cuda.is_available() and arguments.device != "cpu":
        peak = bench.peak_memory()
    ratios = sorted(r["distill"] / (r["student"] + r["teacher"]) for r in rounds)
    row: dict[str, Any] = {
        "task": arguments.task,
        "method": arguments.method,
        "params": arguments.params,
        "device": device_name(arguments.device),
        "torch": torch.__version__,
        "precision": "fp16" if arguments.fp16 else "fp32",
        "threads": torch.get_num_threads(),
        "samples_per_gpu": bench.samples_per_gpu,
        "image": "x".join(str(side) for side in bench.image_size),
        "rounds": len(rounds),
        **{
            f"{key}_s": round(statistics.median(r[key] for r in rounds), 5) for key in ("student", "teacher", "distill")
        },
        "ratio": round(statistics.median(ratios), 4),
        "ratio_low": round(ratios[len(ratios) // 10], 4),
        "ratio_high": round(ratios[-1 - len(ratios) // 10], 4),
        "extra_params_m": round(bench.extra_parameters / 1e6, 4),
        **{f"peak_{key}_gb": round(value / 2**30, 3) for key, value in peak.items()},
        "finite": bench.finite,
    }
    print(json.dumps(row, indent=2))
    if arguments.output:
        write(arguments.output, row)


def write(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a CSV file of the same columns, or begin one."""
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def device_name(device: str) -> str:
    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU {platform.machine()}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("method")
    parser.add_argument("--params", default="{}", help="JSON of parameters that differ from the published ones")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--fp16", action="store_true")
    parser.add_argument("--samples-per-gpu", type=int, help="default: the task's")
    parser.add_argument(
        "--synthetic", action="store_true", help="random images at the task's scale instead of its data"
    )
    parser.add_argument("--data-root")
    parser.add_argument("--storage", default="kdbench-runs")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="append the row to this CSV file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
