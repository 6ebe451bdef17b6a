"""mmdet's families of detectors, one config of each folder: trains, or is refused by the plan with a sentence.

python -m tests.contract.families            # what is not in families.csv yet, a process for each look; some 40 minutes
python -m tests.contract.families --page     # docs/detectors.md from families.csv
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import multiprocessing
import os
import re
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

ROOT = Path(__file__).parents[2]
TABLE, PAGE = Path(__file__).with_name("families.csv"), ROOT / "docs" / "detectors.md"
METHODS = ("none", "pkd", "ld")
"""Plain training, a method on FPN levels, and one on the head."""
TRAINS, SECONDS = "trains", 300.0
SMALLER = {
    "hrnet": "hrnet/faster_rcnn_hrnetv2p_w18_1x_coco",
    "yolo": "yolo/yolov3_mobilenetv2_320_300e_coco",
    "yolox": "yolox/yolox_nano_8x8_300e_coco",
    "pvt": "pvt/retinanet_pvtv2-b0_fpn_1x_coco",
    "swin": "swin/retinanet_swin-t-p4-w7_fpn_1x_coco",
    "solov2": "solov2/solov2_light_r18_fpn_3x_coco",
    "regnet": "regnet/faster_rcnn_regnetx-3.2GF_fpn_1x_coco",
    "guided_anchoring": "guided_anchoring/ga_retinanet_r50_fpn_1x_coco",
    "cascade_rpn": "cascade_rpn/crpn_faster_rcnn_r50_caffe_fpn_1x_coco",
    "libra_rcnn": "libra_rcnn/libra_faster_rcnn_r50_fpn_1x_coco",
    "detectors": "detectors/cascade_rcnn_r50_rfp_1x_coco",
    "dcnv2": "dcnv2/faster_rcnn_r50_fpn_mdconv_c3-c5_1x_coco",
    "res2net": "res2net/faster_rcnn_r2_101_fpn_2x_coco",
    "dcn": "dcn/faster_rcnn_r50_fpn_dconv_c3-c5_1x_coco",
}
"""Folders whose shortest name is not of their smallest or plainest config."""
SETTINGS: dict[str, dict[str, Any]] = {
    "solo": {"metric": "segm_mAP"},
    "solov2": {"metric": "segm_mAP"},
    "htc": {
        "student.model.roi_head.semantic_head": None,
        "student.model.roi_head.semantic_roi_extractor": None,
        "teacher.model.roi_head.semantic_head": None,
        "teacher.model.roi_head.semantic_roi_extractor": None,
    },
    "yolox": {
        "student.model.random_size_interval": 1_000_000_000,
        "teacher.model.random_size_interval": 1_000_000_000,
    },
}
"""The way out that a refusal names, taken: rows of the table beside the plain ones."""


def choice() -> dict[str, str]:
    """One small config of each folder of mmdet, by the folder's name."""
    spec = importlib.util.find_spec("mmdet")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent / ".mim" / "configs"
    small = ("r18", "r50", "resnet18", "s50", "-t")
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and path.name != "_base_"):
        names = sorted(path.relative_to(root).with_suffix("").as_posix() for path in folder.rglob("*.py"))
        shortest = min(names, key=lambda name: (not any(part in name for part in small), len(name), name))
        found[folder.name] = SMALLER.get(folder.name, shortest)
    return found


def looks() -> list[tuple[str, str]]:
    """Every row of the table: a folder, and the settings that it is tried with ("" for none)."""
    return [(name, "") for name in choice()] + [
        (name, " ".join(f"{key}={json.dumps(value)}" for key, value in given.items()))
        for name, given in SETTINGS.items()
    ]


def write_data(root: Path) -> None:
    """Eight images of 128 x 96 with boxes and polygons of two classes."""
    stream = np.random.RandomState(0)
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, 9):
        pixels = stream.randint(60, 120, (96, 128, 3)).astype(np.uint8)
        for _ in range(3):
            width, height = (int(side) for side in stream.randint(16, 50, 2))
            x, y, kind = (
                int(stream.randint(0, 128 - width)),
                int(stream.randint(0, 96 - height)),
                int(stream.randint(2)),
            )
            pixels[y : y + height, x : x + width] = (250, 20, 20) if kind else (20, 250, 20)
            corners = [x, y, x + width, y, x + width, y + height, x, y + height]
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": kind + 1, "iscrowd": 0}
            box = {"bbox": [x, y, width, height], "area": width * height, "segmentation": [corners]}
            annotations.append({**entry, **box})
        cv2.imwrite(str(root / "images" / f"{number}.png"), pixels)
        images.append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 96})
    categories = [{"id": 1, "name": "green"}, {"id": 2, "name": "blue"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "train.json").write_text(json.dumps(content))


def outcome(config: str, settings: str, method: str) -> str:
    """`trains`, or the sentence of the plan; anything else that is raised is a failure, with its kind."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_look, args=(config, settings, method, sender))
    process.start()
    sender.close()
    try:
        found: str = receiver.recv() if receiver.poll(SECONDS) else f"FAILED: not done after {SECONDS:g} s"
    except EOFError:
        found = "FAILED: its process died"
    process.kill()
    process.join()
    return found


def _look(config: str, settings: str, method: str, sender: Any) -> None:
    from kdbench import ops
    from kdbench.errors import InputError
    from kdbench.planning import trying
    from kdbench.planning.study import Request, make_plan

    ops.install()
    if method != "none":  # the teacher's own training is that of the row's plain one

        def students_alone(self: Any, recipe: Any, data: Any, role: str, teacher_too: bool = False) -> None:
            if role == "student":
                tried(self, recipe, data, role)

        tried = trying.Attempts.__call__
        trying.Attempts.__call__ = students_alone  # type: ignore[method-assign]
    for stream in (1, 2):  # libraries talk
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    changes = dict(part.split("=", 1) for part in settings.split())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_data(root / "data")
        schedule = {"epochs": 1, "optimizer": "AdamW", "lr": 2e-4, "policy": "one_cycle", "samples_per_gpu": 2}
        splits = {
            "train": {"annotations": "train.json", "images": "images"},
            "search": {"cut": 2},
            "report": {"cut": 2},
        }
        task = {
            "name": "families",
            "title": "a look at a detector",
            "dataset": {"kind": "coco", "name": "families", "masks": True, **splits},
            "pipeline": {"image_scale": [128, 96]},
            "student": {"config": config},
            "teacher": {"config": config},
            "schedule": {**schedule, "grad_clip": 10, "norm": "BN", "norm_frozen": True},
            "metric": json.loads(changes.pop("metric", '"mAP"')),
        }
        (root / "families.yaml").write_text(yaml.safe_dump(task))
        wishes = {"task": str(root / "families.yaml"), "data_root": str(root / "data")}
        own = {key: json.loads(value) for key, value in changes.items()}
        try:
            make_plan(Request.parse({"methods": method, **wishes, "set": own}, "search"), root / "home", None)
            sender.send(TRAINS)
        except InputError as error:
            sender.send(_told(str(error), config))
        except Exception as error:
            sender.send(f"FAILED: {type(error).__name__}: {error}")


def _told(sentence: str, config: str) -> str:
    """A refusal without the task, the config, and what differs between machines."""
    sentence = re.sub(r"\S*/\.mim/configs/", "", sentence)
    sentence = re.sub(r"built against torch .*?; or", "built against your torch; or", sentence)
    return re.sub(rf"^task families, student:? ?({re.escape(config)}(\.py)?: )?", "", sentence)


def read_table() -> dict[tuple[str, str, str], str]:
    """What was found: (folder, settings, method) -> outcome."""
    with open(TABLE, encoding="utf-8", newline="") as file:
        return {(row["folder"], row["settings"], row["method"]): row["outcome"] for row in csv.DictReader(file)}


def _write_table(found: dict[tuple[str, str, str], str]) -> None:
    configs = choice()
    with open(TABLE, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("folder", "config", "settings", "method", "outcome"))
        for folder, settings in looks():
            for method in METHODS:
                if (folder, settings, method) in found:
                    writer.writerow((folder, configs[folder], settings, method, found[folder, settings, method]))


def page() -> str:
    """docs/detectors.md"""
    found, configs = read_table(), choice()
    lines = [
        "# Which of mmdet's detectors train",
        "",
        "Made by `python -m tests.contract.families --page` from `tests/contract/families.csv`; do not edit.",
        "",
        f"One small config of each of mmdet 2.28's {len(configs)} config folders as student and teacher, on images of 128 x 96 with boxes",
        "and masks, on a CPU: the plan of a search took a training step and evaluated an image, without a method, with `pkd` (FPN",
        "levels) and with `ld` (a head of GFL's kind).",
        "*trains*, or what `kdbench search` says before anything is trained.",
        "",
        "| config | plain | pkd | ld |",
        "|---|---|---|---|",
    ]
    notes: list[str] = []

    def cell(text: str) -> str:
        if text == TRAINS:
            return TRAINS
        if text not in notes:
            notes.append(text)
        return f"no ({notes.index(text) + 1})"

    for folder, settings in looks():
        cells = [cell(found[folder, settings, method]) for method in METHODS]
        more = f"<br>`--set {settings}`" if settings else ""
        lines.append(f"| `{configs[folder]}`{more} | {' | '.join(cells)} |")
    lines += ["", "What the plan says:", "", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="write the page only")
    parser.add_argument("--jobs", type=int, default=2, help="looks at a time (default 2)")
    arguments = parser.parse_args()
    if not arguments.page:
        import torch

        torch.set_num_threads(1)
        found, configs = read_table() if TABLE.is_file() else {}, choice()
        missing = [(*look, method) for look in looks() for method in METHODS if (*look, method) not in found]
        with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("fork")) as pool:
            jobs = {pool.submit(outcome, configs[row[0]], *row[1:]): row for row in missing}
            for job in as_completed(jobs):
                found[jobs[job]] = job.result()
                print(*jobs[job], job.result()[:150], flush=True)
                _write_table(found)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
