"""What becomes of crowds where a detector's heads take no regions to ignore."""

from __future__ import annotations

import json

from kdbench.data import Prepared
from kdbench.detectors import configs, needs
from kdbench.specs.task import TaskSpec


def crowd_notes(task: TaskSpec, data: Prepared) -> list[str]:
    """A line for each model of a task that learns the crowds of train as background, as the DETR family does."""
    content = json.loads(data.splits["train"].annotations.read_text(encoding="utf-8"))
    crowds = sum(bool(item["iscrowd"]) for item in content["annotations"])
    if not crowds:
        return []
    return [
        f"{spec.config}: its head takes no regions to ignore, so the {crowds} crowd or difficult boxes of train are background to it"
        for spec in {spec.config: spec for spec in (task.student, task.teacher)}.values()
        if not needs.takes_ignored(configs.load_model_config(spec.config, dict(spec.set)))
    ]
