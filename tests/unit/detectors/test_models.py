"""Building detectors and describing them."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdbench.detectors import configs, models, sizes
from kdbench.errors import InputError
from kdbench.testing import detectors


def test_a_seed_gives_the_weights_and_leaves_the_callers_streams() -> None:
    cfg = detectors.model_config("one_stage")
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    one, two, other = (models.build(cfg.model, seed).state_dict() for seed in (7, 7, 8))
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["backbone.conv1.weight"], other["backbone.conv1.weight"])
    assert "type" in cfg.model, "the config must be left whole"


def test_building_is_silent_and_leaves_logging_alone(caplog: Any, capfd: Any) -> None:
    from mmcv.utils.logging import logger_initialized

    cfg = detectors.model_config("one_stage")

    def look() -> Any:
        loggers = [logging.getLogger(name) for name in ("", "mmcv", "mmdet")]
        return dict(logger_initialized), [(one.level, one.propagate, list(one.handlers)) for one in loggers]

    stream = logging.StreamHandler()
    logging.getLogger().addHandler(stream)
    try:
        before = look()
        with caplog.at_level(logging.INFO):
            models.build(cfg.model, 0)
        assert look() == before
        assert stream.level == logging.NOTSET
    finally:
        logging.getLogger().removeHandler(stream)
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_what_mmdet_refuses_is_wrong_input() -> None:
    cfg = detectors.model_config("one_stage")
    cfg.model.backbone.dept = 18
    with pytest.raises(InputError, match="dept"):
        models.build(cfg.model, 0)


def test_weights_that_cannot_be_fetched() -> None:
    cfg = detectors.model_config("one_stage")
    cfg.model.backbone.init_cfg = {"type": "Pretrained", "checkpoint": "/nowhere/resnet.pth"}
    with pytest.raises(InputError, match="pretrained: false"):
        models.build(cfg.model, 0)


@pytest.mark.parametrize("content", ["text", "objects", "half"])
def test_initial_weights_that_are_none(tmp_path: Path, content: str) -> None:
    """shared/failing/58: a file in init_cfg that is no checkpoint; nothing that it holds is run."""
    file, ran = tmp_path / "r18.pth", tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (ran,)

    torch.save({"state_dict": {}, "more": Evil()} if content == "objects" else {"w": torch.zeros(1000)}, file)
    if content == "text":
        file.write_text("epoch 1\n")
    elif content == "half":
        file.write_bytes(file.read_bytes()[:2000])
    cfg = detectors.model_config("one_stage")
    cfg.model.backbone.init_cfg = {"type": "Pretrained", "checkpoint": str(file)}
    with pytest.raises(InputError, match=r"r18\.pth: is not a torch checkpoint.*init_cfg$") as error:
        models.build(cfg.model, 0)
    assert "\n" not in str(error.value)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("backbone", "channels"),
    [
        ({"depth": 18, "base_channels": 16}, (16, 32, 64, 128)),
        ({"depth": 34, "base_channels": 32}, (32, 64, 128, 256)),
        ({"depth": 50, "base_channels": 8}, (32, 64, 128, 256)),
        ({"type": "ResNeXt", "depth": 50, "groups": 8, "base_width": 1}, (256, 512, 1024, 2048)),
    ],
)
def test_channels_of_residual_networks(backbone: dict[str, Any], channels: tuple[int, ...]) -> None:
    overrides = {f"model.backbone.{key}": value for key, value in backbone.items()}
    overrides["model.neck.in_channels"] = list(channels)
    overrides["model.neck.out_channels"] = overrides["model.bbox_head.in_channels"] = 16
    cfg = configs.load_model_config("retinanet/retinanet_r50_fpn_1x_coco", overrides)
    configs.drop_pretrained(cfg)
    model = models.build(cfg.model, 0)
    info = models.info(model, cfg.model)
    assert info.backbone_channels == channels
    assert (info.family, info.head, info.num_classes) == ("one_stage", "RetinaHead", 80)
    assert (info.neck_channels, info.neck_strides) == ((16,) * 5, (8, 16, 32, 64, 128))
    look = sizes.dry_forward(model)
    assert (look.backbone_channels, look.neck_channels, look.neck_strides) == (channels, (16,) * 5, info.neck_strides)


def test_two_stage() -> None:
    _, info = detectors.detector("two_stage")
    assert (info.family, info.num_classes, info.head) == ("two_stage", 3, "StandardRoIHead")
    assert info.neck_strides == (4, 8, 16, 32, 64)


def test_others_are_looked_at_without_a_trace() -> None:
    cfg = configs.load_model_config("yolox/yolox_tiny_8x8_300e_coco", {})
    model = models.build(cfg.model, 0).train()
    model.backbone.stem.eval()
    modes, state = [m.training for m in model.modules()], torch.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    info = models.info(model, cfg.model)
    assert info.backbone_channels == (96, 192, 384)
    assert (info.neck_channels, info.neck_strides) == ((96, 96, 96), (8, 16, 32))
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_region_proposer_is_no_detector() -> None:
    cfg = configs.load_model_config("rpn/rpn_r50_fpn_1x_coco", {"model.backbone.depth": 18})
    cfg.model.neck.in_channels = [64, 128, 256, 512]
    configs.drop_pretrained(cfg)
    with pytest.raises(InputError, match="no head with classes"):
        models.info(models.build(cfg.model, 0), cfg.model)


def test_a_student_that_resizes_its_batches_is_refused() -> None:
    def student(interval: int) -> Any:
        name = "yolox/yolox_tiny_8x8_300e_coco"
        cfg = configs.load_model_config(name, {"model.random_size_interval": interval})
        return models.build(cfg.model, seed=0)

    with pytest.raises(InputError, match="random_size_interval=1000000000"):
        models.check_sizes(student(10), "student")
    models.check_sizes(student(1_000_000_000), "student")
    models.check_sizes(models.build(detectors.model_config("one_stage").model, seed=0), "student")
