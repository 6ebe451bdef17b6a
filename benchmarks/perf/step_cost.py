"""What a distillation step costs: its time over (a plain student step + a teacher forward without gradient).

1.0 is the floor: no method that runs a teacher can be cheaper; a method without a teacher is compared with the plain
student step. The three are measured in turn, round by round, in one process, so that a machine whose speed drifts moves
them all; the ratio is the median over the rounds. On the CPU the seconds are those that the process computed, so that
other work on the machine does not count. `kept` is the memory held for the backward pass beyond plain training's.

    python benchmarks/perf/step_cost.py shapes defeat fgfi
    python benchmarks/perf/step_cost.py shapes all --threads 1 --device cpu -o benchmarks/results/step_cost.csv
    python benchmarks/perf/step_cost.py coco/faster_rcnn_r101_r50_1x defeat --synthetic --samples-per-gpu 2 --device cuda --fp16
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from kdbench.errors import InputError


def main() -> None:
    arguments = parse()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    from rows import append  # beside this script

    from kdbench.methods import registry

    names = [name for name in registry.names() if name != "none"] if "all" in arguments.methods else arguments.methods
    for name in names:
        try:
            row = measure(name, arguments)
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(json.dumps(row, indent=2))
        if arguments.output:
            append(arguments.output, row)


def measure(method: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The row of one method."""
    from three_steps import StepCost  # beside this script

    bench = StepCost(
        arguments.task,
        method,
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
    for index in range(arguments.rounds):
        rounds.append(bench.round())
        if sys.stderr.isatty():
            print(f"\r{method}: round {index + 1}/{arguments.rounds}", end="", file=sys.stderr)
    kept = bench.kept_bytes()
    peak = bench.peak_memory() if torch.cuda.is_available() and arguments.device != "cpu" else {}
    ratios = sorted(r["distill"] / (r["student"] + r["teacher"]) for r in rounds)
    medians = {key: statistics.median(r[key] for r in rounds) for key in ("student", "teacher", "distill")}
    return {
        "task": arguments.task,
        "method": method,
        "params": arguments.params,
        "device": device_name(arguments.device),
        "torch": torch.__version__,
        "precision": "fp16" if arguments.fp16 else "fp32",
        "threads": torch.get_num_threads(),
        "samples_per_gpu": bench.samples_per_gpu,
        "image": "x".join(str(side) for side in bench.image_size),
        "rounds": len(rounds),
        **{f"{key}_s": round(value, 5) for key, value in medians.items()},
        "ratio": round(statistics.median(ratios), 4),
        "ratio_low": round(ratios[len(ratios) // 10], 4),
        "ratio_high": round(ratios[-1 - len(ratios) // 10], 4),
        "extra_params_m": round(bench.extra_parameters / 1e6, 4),
        "extra_kept_mb": round((kept["distill"] - kept["student"]) / 2**20, 1),
        **{f"peak_{key}_gb": round(value / 2**30, 3) for key, value in peak.items()},
        "finite": bench.finite,
    }


def device_name(device: str) -> str:
    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU {platform.machine()}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("methods", nargs="+", help="names of methods, or all")
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
