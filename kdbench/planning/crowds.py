"""What becomes of crowds where a detector's heads take no regions to ignore."""

from __future__ import annotations

import json
from collections.abc import Iterable

from kdbench.data import Prepared
from kdbench.detectors import configs, needs
from kdbench.specs.training import ModelSpec


def crowd_notes(learning: Iterable[tuple[ModelSpec, Prepared]]) -> tuple[str, ...]:
    """A line for each model that learns the crowds of its train split as background, as the DETR family does."""
    distinct = {(model.config, data.folder): (model, data) for model, data in learning}
    crowds = {data.folder: _crowds(data) for _, data in distinct.values()}
    return tuple(
        f"{model.config}: its head takes no regions to ignore, so the {crowds[data.folder]} crowd or difficult boxes of train are "
        "background to it"
        for model, data in distinct.values()
        if crowds[data.folder] and not needs.takes_ignored(configs.load_model_config(model.config, dict(model.set)))
    )


def _crowds(data: Prepared) -> int:
    content = json.loads(data.splits["train"].annotations.read_text(encoding="utf-8"))
    return sum(bool(item["iscrowd"]) for item in content["annotations"])
