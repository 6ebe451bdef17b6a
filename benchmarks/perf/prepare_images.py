"""How long preparing a dataset takes when its images have never been looked at, and when they have.

A COCO dataset of JPEGs is made in a temporary folder: smooth noise, so that a file is as large as a photo's. Timed are, each in
a process of its own as a user meets them: the first preparation, which opens every image; the second, with nothing changed;
and one with other annotations, which opens no image again.

    python benchmarks/perf/prepare_images.py --images 10000 -o benchmarks/results/prepare_images.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

SPEC = {
    "kind": "coco",
    "name": "made",
    "train": {"annotations": "all.json", "images": "images"},
    "search": {"cut": 0.1},
    "report": {"cut": 0.1},
}
CHILD = """
import json, sys, time
from pathlib import Path
from kdbench.data import prepare
from kdbench.specs.dataset import DatasetSpec
spec = DatasetSpec.model_validate(json.loads(sys.argv[1]))
began = time.perf_counter()
data = prepare(spec, Path(sys.argv[2]), Path(sys.argv[3]), 0.01)
print(time.perf_counter() - began, time.process_time(), sum(split.num_images for split in data.splits.values()))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("-o", "--output", metavar="CSV")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root, home = Path(place) / "data", Path(place) / "home"
        size = write(root, arguments.images, arguments.width, arguments.height)
        rows = []
        for what in ("first", "second", "other annotations"):
            if what == "other annotations":
                annotations = root / "all.json"
                annotations.write_text(annotations.read_text().replace('"cat"', '"dog"'))
            seconds, cpu, number = run(root, home)
            if number != arguments.images:
                raise SystemExit(f"{number} of {arguments.images} images were prepared")
            row = {
                "preparation": what,
                "images": number,
                "pixels": f"{arguments.width}x{arguments.height}",
                "kb_an_image": round(size / number / 1000, 1),
                "cores": len(os.sched_getaffinity(0)),
                "load_before": round(os.getloadavg()[0], 1),
                "seconds": round(seconds, 2),
                "cpu_seconds": round(cpu, 2),
            }
            print(row)
            rows.append(row)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def write(root: Path, count: int, width: int, height: int) -> int:
    """Images and annotations of five boxes each; the bytes of all images."""
    (root / "images").mkdir(parents=True)
    stream = np.random.default_rng(0)
    coarse = stream.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    base = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    base += stream.integers(-12, 12, base.shape, dtype=np.int16)
    images, boxes, size = [], [], 0
    for number in range(count):
        picture = np.roll(base, (number * 7 % height, number * 13 % width), axis=(0, 1)) + number % 17
        file = root / "images" / f"{number:06d}.jpg"
        cv2.imwrite(str(file), picture.clip(0, 255).astype(np.uint8))
        size += file.stat().st_size
        images.append({"id": number, "file_name": file.name, "width": width, "height": height})
        for place in range(5):
            corner = [20 + 60 * place, 30 + 40 * place, 50, 60]
            boxes.append({"id": len(boxes), "image_id": number, "category_id": 1, "bbox": corner, "area": 3000})
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (root / "all.json").write_text(json.dumps(content))
    return size


def run(root: Path, home: Path) -> tuple[float, float, int]:
    """Seconds of the preparation, of all cores' work since the process began, and the images that it gave."""
    command = [sys.executable, "-c", CHILD, json.dumps(SPEC), str(home), str(root)]
    seconds, cpu, number = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(seconds), float(cpu), int(number)


if __name__ == "__main__":
    main()
