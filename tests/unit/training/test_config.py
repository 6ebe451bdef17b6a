"""What the trainer makes of a recipe's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.data import Prepared
from kdbench.data.prepared import SplitFiles
from kdbench.specs.recipe import task_recipe
from kdbench.specs.task import load_task
from kdbench.training.config import mmdet_config


@pytest.mark.parametrize(
    ("changes", "frozen"),
    [
        ({"student.pretrained": True}, 1),
        (
            {"student.pretrained": False},
            -1,
        ),  # mmdet's config freezes the first stage; random weights are nothing to keep
        ({"student.pretrained": False, "student.init": "student.pth"}, 1),
        ({"student.pretrained": False, "student.model.backbone.frozen_stages": 2}, 2),
    ],
)
def test_random_weights_are_not_frozen_unless_the_user_says_so(
    changes: dict[str, Any], frozen: int, tmp_path: Path
) -> None:
    splits = {name: SplitFiles(tmp_path / f"{name}.json", tmp_path, 1, 1) for name in ("train", "search", "report")}
    data = Prepared("x", ("cell",), "h", tmp_path, splits)
    recipe = task_recipe(load_task("coco/retinanet_r101_r50_1x", changes), "none", {}, {}, None, 0)
    model = mmdet_config(recipe, data).model
    assert model.backbone.frozen_stages == frozen
    assert bool(model.backbone.init_cfg) == recipe.student.pretrained
