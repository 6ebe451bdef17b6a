"""A process of its own in which plain mmdet evaluates an exported student: `python -m kdbench.evaluation.plain_check JOB`.

Nothing of kdbench takes part in building, loading or running the model; only where mmcv has no compiled operators does
kdbench.ops provide them. Metrics that mmdet lacks are computed afterwards, on mmdet's results.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SECTIONS = {"search": "val", "report": "test"}
HARMLESS = ("kdbench", "kdbench._version", "kdbench.errors", "kdbench.evaluation")
"""On the way to this file and to kdbench.ops; nothing in them belongs to a model."""


def main(job: dict[str, Any]) -> dict[str, Any]:
    """What plain mmdet measures.

    Args:
        job: folder (with config.py and student.pth), device ("cpu" or "cuda"), threads (torch's; 0 is its own choice),
            splits, and own (the metric to compute with kdbench's evaluation because mmdet has none such, or null).

    Returns:
        operators (compiled or torchvision), versions, classes, masks, and by split: images, mmdet (what `dataset.evaluate`
        gave) and own (kdbench's figures, or null).
    """
    from kdbench import ops

    ops.install()
    import mmcv
    import mmdet
    import torch
    from mmcv.runner import load_checkpoint, wrap_fp16_model
    from mmdet.apis import init_detector
    from mmdet.datasets import build_dataset

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    folder = Path(job["folder"])
    detector = init_detector(str(folder / "config.py"), str(folder / "student.pth"), job["device"])
    # init_detector takes any file whose names fit in part.
    load_checkpoint(detector, str(folder / "student.pth"), map_location="cpu", strict=True)
    if job["device"] == "cuda" and detector.cfg.get("fp16"):
        wrap_fp16_model(detector)
    datasets = {split: build_dataset(detector.cfg.data[SECTIONS[split]]) for split in job["splits"]}
    build_dataset(detector.cfg.data.train)
    for dataset in datasets.values():
        if tuple(dataset.CLASSES) != tuple(detector.CLASSES):
            raise RuntimeError(f"the weights are of classes {detector.CLASSES} and the data of {dataset.CLASSES}")
    results = {split: _predict(detector, dataset, job["device"]) for split, dataset in datasets.items()}
    kinds = ["bbox", "segm"] if detector.with_mask else ["bbox"]
    figures = {
        split: dict(dataset.evaluate(results[split], metric=kinds, logger="silent"))
        for split, dataset in datasets.items()
    }
    _check_that_it_is_plain(detector)
    return {
        "operators": ops.backend(),
        "versions": {module.__name__: str(module.__version__) for module in (mmdet, mmcv, torch)},
        "classes": list(detector.CLASSES),
        "masks": bool(detector.with_mask),
        "splits": {
            split: {
                "images": len(dataset),
                "mmdet": {name: float(value) for name, value in figures[split].items() if not isinstance(value, str)},
                "own": _own(dataset, results[split], job["own"]) if job["own"] else None,
            }
            for split, dataset in datasets.items()
        },
    }


def _predict(detector: Any, dataset: Any, device: str) -> list[Any]:
    from mmdet.apis import single_gpu_test
    from mmdet.datasets import build_dataloader

    loader = build_dataloader(dataset, samples_per_gpu=1, workers_per_gpu=0, dist=False, shuffle=False)
    results: list[Any] = single_gpu_test(_opening(detector, device), loader)
    return results


def _opening(detector: Any, device: str) -> Any:
    """Hands the detector opened batches: mmcv's own scatter fails on a GPU with torch 2.1 and later."""
    import torch

    class Opening(torch.nn.Module):
        def forward(self, img: list[Any], img_metas: list[Any], **options: Any) -> Any:
            images = [image.to(device) for image in img]
            return detector(img=images, img_metas=[meta.data[0] for meta in img_metas], **options)

        def eval(self) -> Any:
            detector.eval()
            return self

    return Opening()


def _check_that_it_is_plain(detector: Any) -> None:
    foreign = {type(module).__module__ for module in detector.modules()}
    loaded = {name for name, module in sys.modules.items() if module is not None} | foreign
    ours = {name for name in loaded if name.partition(".")[0] == "kdbench" and name not in (*HARMLESS, __name__)}
    others = sorted(name for name in ours if name != "kdbench.ops" and not name.startswith("kdbench.ops."))
    if others:
        raise RuntimeError(f"parts of kdbench were loaded: {', '.join(others)}")


def _own(dataset: Any, results: list[Any], metric: str) -> dict[str, float]:
    from kdbench.evaluation.scoring import score

    return score(dataset, results, metric)


if __name__ == "__main__":
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(work["out"]).write_text(json.dumps(main(work)), encoding="utf-8")
