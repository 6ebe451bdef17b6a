"""Detectors are looked at before anything is trained: weights and images have to belong together."""

from __future__ import annotations

from typing import Any

import pytest

from kdbench.errors import InputError
from kdbench.planning.resolving import look_at_models
from kdbench.specs.task import load_task

CAFFE = {"student.config": "retinanet/retinanet_r50_caffe_fpn_1x_coco"}


def look(changes: dict[str, Any]) -> None:
    look_at_models(load_task("coco/retinanet_r101_r50_1x", changes), ["cell"])


def test_weights_that_expect_other_images_are_refused_with_what_to_set() -> None:
    with pytest.raises(InputError, match=r"student: .*caffe.* set pipeline\.mean=\[103\.53,116\.28,123\.675\] .*false"):
        look(CAFFE)
    with pytest.raises(InputError, match=r"teacher: .*pipeline\.to_rgb=true"):  # and the other way round
        look(
            {
                **CAFFE,
                "pipeline.mean": [102.9801, 115.9465, 122.7717],
                "pipeline.std": [1, 1, 1],
                "pipeline.to_rgb": False,
            }
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"student.pretrained": False},  # nothing to fit to
        {"student.model.backbone.init_cfg.checkpoint": "mine.pth"},  # the user's own weights
    ],
)
def test_without_the_configs_own_weights_the_pipeline_is_free(changes: dict[str, Any]) -> None:
    look({**CAFFE, **changes})
