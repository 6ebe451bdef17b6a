"""Reading weights with care."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kdbench.detectors import configs, models, weights
from kdbench.errors import InputError
from kdbench.testing import detectors

CLASSES = detectors.CLASSES


@pytest.fixture
def model() -> nn.Module:
    return detectors.detector("one_stage")[0]


def save(path: Path, content: Any) -> str:
    torch.save(content, path)
    return str(path)


def state(**kwargs: Any) -> dict[str, torch.Tensor]:
    return detectors.detector("one_stage", **kwargs)[0].state_dict()


def reason(model: nn.Module, path: str) -> str:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError) as caught:
        weights.load_weights(model, path, classes=CLASSES, what="teacher")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert str(caught.value).startswith(f"teacher: {path}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["mmdet", "bare", "ddp", "numpy_meta", "legacy"])
def test_loads(model: nn.Module, tmp_path: Path, kind: str) -> None:
    wanted = state(seed=3)
    file = tmp_path / "weights.pth"
    if kind == "legacy":
        torch.save({"state_dict": wanted}, file, _use_new_zipfile_serialization=False)
    else:
        content: Any = {
            "mmdet": {"meta": {"CLASSES": CLASSES, "epoch": 1}, "state_dict": wanted, "optimizer": {"lr": 1.0}},
            "bare": wanted,
            "ddp": {"state_dict": OrderedDict((f"module.{name}", value) for name, value in wanted.items())},
            "numpy_meta": {"meta": {"hook_msgs": {"best": np.float64(0.3)}, "n": np.int64(3)}, "state_dict": wanted},
        }[kind]
        save(file, content)
    weights.load_weights(model, str(file), classes=CLASSES, what="teacher")
    assert all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())


def test_other_classes_by_name(model: nn.Module, tmp_path: Path) -> None:
    content = {"meta": {"CLASSES": ("cat", "dog")}, "state_dict": state()}
    assert "2 classes (cat, dog), the data has 3" in reason(model, save(tmp_path / "w.pth", content))
    content["meta"]["CLASSES"] = CLASSES[::-1]
    assert "another order" in reason(model, save(tmp_path / "w.pth", content))
    content["meta"]["CLASSES"] = "cat"
    assert "1 class (cat)" in reason(model, save(tmp_path / "w.pth", content))


@pytest.mark.parametrize("family", ["one_stage", "two_stage"])
def test_other_classes_by_shape(tmp_path: Path, family: Any) -> None:
    cfg = detectors.model_config(family)
    configs.set_num_classes(cfg, 80)
    file = save(tmp_path / "w.pth", models.build(cfg.model, 0).state_dict())
    assert "was trained on 80 classes and not 3" in reason(detectors.detector(family)[0], file)


def test_other_architecture(model: nn.Module, tmp_path: Path) -> None:
    wider = reason(model, save(tmp_path / "w.pth", state(width=24)))
    assert "another architecture: backbone.conv1.weight is (24, 3, 7, 7) and not (16, 3, 7, 7)" in wider
    other = reason(model, save(tmp_path / "w.pth", detectors.detector("two_stage")[0].state_dict()))
    assert "bbox_head.retina_cls.weight" in other or "missing" in other


def test_not_a_number(model: nn.Module, tmp_path: Path) -> None:
    broken = state()
    broken["backbone.conv1.weight"][0] = float("nan")
    assert "NaN" in reason(model, save(tmp_path / "w.pth", broken))


def test_unreadable(model: nn.Module, tmp_path: Path) -> None:
    assert "cannot be read" in reason(model, str(tmp_path / "none.pth"))
    assert "cannot be read" in reason(model, str(tmp_path))
    (tmp_path / "text.pth").write_text("hello, this is no checkpoint")
    reason(model, str(tmp_path / "text.pth"))
    (tmp_path / "empty.pth").write_bytes(b"")
    reason(model, str(tmp_path / "empty.pth"))
    whole = Path(save(tmp_path / "whole.pth", state())).read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    assert "not a whole torch checkpoint" in reason(model, str(tmp_path / "half.pth"))
    assert "a list" in reason(model, save(tmp_path / "list.pth", [1]))
    assert "no state_dict" in reason(model, save(tmp_path / "dict.pth", {"a": 1}))


def test_code_in_a_file_does_not_run(model: nn.Module, tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (marker,)

    assert "other Python objects" in reason(model, save(tmp_path / "evil.pth", {"state_dict": state(), "x": Evil()}))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("file:///dev/zero", "no regular file"),
        ("file://{tmp}/a%20text.pth", "is not a whole torch checkpoint"),
        ("file://{tmp}/gone.pth", "No such file"),
        ("s3://bucket/r101.pth", "cannot be fetched from there"),
        ("torchvision://resnet50", "cannot be fetched from there"),
    ],
)
def test_addresses_that_are_none_of_the_web(model: nn.Module, tmp_path: Path, address: str, words: str) -> None:
    """shared/failing/53: whatever the scheme, a file without an end is not read, and one that is no checkpoint is told."""
    (tmp_path / "a text.pth").write_text("somehost\n")
    assert words in reason(model, address.format(tmp=tmp_path))


def test_a_file_by_its_address(model: nn.Module, tmp_path: Path) -> None:
    wanted = state(seed=3)
    weights.load_weights(model, f"file://{save(tmp_path / 'w.pth', wanted)}", classes=CLASSES, what="teacher")
    assert all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())


def test_a_download_that_fails(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    assert "cannot be fetched" in reason(model, "http://127.0.0.1:9/weights.pth")


def test_export_is_a_plain_mmdet_checkpoint(model: nn.Module, tmp_path: Path) -> None:
    from mmcv.runner import load_checkpoint

    file = tmp_path / "student.pth"
    file.write_bytes(b"old")
    weights.export_student(model, file, {"CLASSES": list(CLASSES), "epoch": 2})
    other = detectors.detector("one_stage", seed=5)[0]
    checkpoint = load_checkpoint(other, str(file), strict=True)
    assert checkpoint["meta"]["CLASSES"] == list(CLASSES)
    assert torch.equal(other.backbone.conv1.weight, model.backbone.conv1.weight)
    assert list(tmp_path.iterdir()) == [file]
    assert len(weights.weights_id(file)) == 12
