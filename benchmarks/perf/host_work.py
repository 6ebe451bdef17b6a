"""What a training step asks of the host: operator calls, and what would make it wait for a card, each with its line.

Counted on the CPU, so that any machine can tell; one row for plain training and one for each method. What only the CPU
does (the check of labels in its focal loss) is left out.

    python benchmarks/perf/host_work.py shapes defeat fgd
    python benchmarks/perf/host_work.py coco/retinanet_r101_r50_1x all --synthetic --samples-per-gpu 2 -o benchmarks/results/host_work.csv
    python benchmarks/perf/host_work.py shapes none --lines 40
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from kdbench.errors import InputError
from kdbench.testing.host_work import KINDS, Counting, HostWork


def measure(task: str, method: str, arguments: argparse.Namespace) -> tuple[dict[str, Any], HostWork]:
    """The row of one method (`none`: plain training), and what was counted forward."""
    from three_steps import StepCost  # beside this script

    bench = StepCost(
        task,
        "fitnet" if method == "none" else method,
        device="cpu",
        samples_per_gpu=arguments.samples_per_gpu,
        synthetic=arguments.synthetic,
        storage=arguments.storage,
        data_root=arguments.data_root,
    )
    name = "student" if method == "none" else "distill"
    distiller, optimizer, batch = bench.distillers[name], bench.optimizers[name], next(bench.batches)
    # The first step makes what is made once.
    optimizer.zero_grad()
    distiller.train_step(batch, optimizer)["loss"].backward()
    optimizer.step()
    optimizer.zero_grad()
    with Counting() as forward:
        outputs = distiller.train_step(batch, optimizer)
    with Counting() as backward:
        outputs["loss"].backward()
    row = {
        "task": task,
        "method": method,
        "samples_per_gpu": bench.samples_per_gpu,
        "forward_calls": forward.calls,
        "backward_calls": backward.calls,
        "waits": forward.total + backward.total,
        **{kind.replace(" ", "_"): forward.kinds[kind] + backward.kinds[kind] for kind in KINDS},
        "torch": torch.__version__,
    }
    return row, forward


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("methods", nargs="+", help="names of methods, none for plain training, or all")
    parser.add_argument("--samples-per-gpu", type=int, help="default: the task's")
    parser.add_argument("--synthetic", action="store_true", help="random images instead of the task's data")
    parser.add_argument("--data-root")
    parser.add_argument("--storage", default="kdbench-runs")
    parser.add_argument("--lines", type=int, default=0, metavar="N", help="print the N lines that cause most")
    parser.add_argument("-o", "--output", type=Path, help="append the rows to this CSV file")
    arguments = parser.parse_args()
    from rows import append  # beside this script

    from kdbench.methods import registry

    names = list(registry.names()) if "all" in arguments.methods else arguments.methods
    for name in names:
        try:
            row, forward = measure(arguments.task, name, arguments)
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(json.dumps(row))
        for (kind, line), count in forward.waits.most_common(arguments.lines):
            print(f"  {count:4d}  {kind:10s}  {line}")
        if arguments.output:
            append(arguments.output, row)


if __name__ == "__main__":
    main()
