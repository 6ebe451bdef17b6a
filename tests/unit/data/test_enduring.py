"""An image that fails in the middle costs itself alone; ordinary images are mmdet's, bit for bit."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from kdbench import ops
from kdbench.data import Prepared, loaders, prepare
from kdbench.data.loaders import build_dataset
from kdbench.errors import RunError
from kdbench.evaluation.scoring import predict, score
from kdbench.specs.training import PipelineSpec
from kdbench.training.config import pipelines
from tests.unit.data.pictures import coco, cut, pixels, save

TRAIN, TEST = pipelines(PipelineSpec(image_scale=(160, 128)), with_masks=False)


def config(data: Prepared, split: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    files = data.splits[split]
    place = {"ann_file": str(files.annotations), "img_prefix": str(files.images), "classes": data.classes}
    more = {"test_mode": True} if split != "train" else {"filter_empty_gt": False}
    return {"type": "CocoDataset", **place, "pipeline": pipeline, **more}


def made(tmp_path: Path, **sizes: Any) -> Prepared:
    return prepare(coco(tmp_path / "data", **sizes), tmp_path / "home", tmp_path / "data")


def image(tmp_path: Path, number: int) -> Path:
    return tmp_path / "data" / "images" / f"im{number}.jpg"


def seeded() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def test_ordinary_images_are_bit_for_bit_those_of_plain_mmdet(tmp_path: Path) -> None:
    ops.install()
    from mmdet.datasets import build_dataset as plainly

    save(image(tmp_path, 0), 0, orientation=3)
    save(image(tmp_path, 3), 3, orientation=6, width=64, height=96)
    data = made(tmp_path)
    for split, pipeline in (("train", TRAIN), ("search", TEST)):
        ours, theirs = build_dataset(config(data, split, pipeline)), plainly(config(data, split, pipeline))
        for index in range(3):
            seeded()
            mine = ours[index]
            seeded()
            plain = theirs[index]
            assert mine.keys() == plain.keys()
            for key in mine:
                one, other = (sample[key][0] if split == "search" else sample[key] for sample in (mine, plain))
                one, other = getattr(one, "data", one), getattr(other, "data", other)
                assert torch.equal(one, other) if isinstance(one, torch.Tensor) else repr(one) == repr(other)


def loaded(data: Prepared, index: int) -> np.ndarray:
    load: list[dict[str, Any]] = [{"type": "LoadImageFromFile"}, {"type": "Collect", "keys": ["img"], "meta_keys": ()}]
    found: np.ndarray = build_dataset(config(data, "train", load))[index]["img"]
    return found


def test_a_cut_image_is_read_as_preparation_read_it(tmp_path: Path) -> None:
    coco(tmp_path / "data")
    cut(image(tmp_path, 3))
    assert np.array_equal(loaded(made(tmp_path), 1), cv2.imread(str(image(tmp_path, 3))))


@pytest.mark.parametrize("mixed", [False, True])
def test_pixels_lie_as_the_boxes_do(tmp_path: Path, mixed: bool) -> None:
    for number in range(9):
        save(image(tmp_path, number), number, orientation=6)
    if mixed:
        save(image(tmp_path, 6), 6, orientation=6, width=64, height=96)
    data = made(tmp_path)
    assert data.unturned is not mixed
    drawn = pixels(3)[..., ::-1].astype(float)
    assert np.abs(loaded(data, 1) - drawn).mean() < 25
    if mixed:
        turned = np.rot90(pixels(6, 64, 96)[..., ::-1].astype(float), -1)
        assert np.abs(loaded(data, 2) - turned).mean() < 25


@pytest.mark.parametrize(
    "harm", [Path.unlink, lambda file: file.write_bytes(b""), lambda file: file.write_bytes(b"<html>" * 99)]
)
@pytest.mark.parametrize("workers", [0, 2])
def test_training_takes_another_and_tells_once(
    tmp_path: Path, harm: Any, workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = made(tmp_path)
    dataset = build_dataset(
        {"type": "RepeatDataset", "times": 2, "dataset": config(data, "train", TRAIN)}, tmp_path / "log"
    )
    harm(image(tmp_path, 3))
    capfd.readouterr()
    loader = loaders.train_loader(dataset, 2, workers, 0)
    names = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        names.append([meta["ori_filename"] for batch in loader for meta in batch["img_metas"].data[0]])
        assert len(names[-1]) == 6
        assert set(names[-1]) == {"im0.jpg", "im6.jpg"}
    told = [line for line in capfd.readouterr().err.splitlines() if "im3.jpg" in line]
    assert len(told) == 1
    assert "; training takes another in its place" in told[0]
    assert told[0] in (tmp_path / "log").read_text()
    # The one in its place depends on nothing but the data.
    assert build_dataset(config(data, "train", TRAIN))[1]["img_metas"].data["ori_filename"] == "im6.jpg"


def test_an_image_of_another_size_than_prepared_is_lost(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = made(tmp_path)
    save(image(tmp_path, 3), 3, width=64, height=96)
    assert build_dataset(config(data, "train", TRAIN))[1]["img_metas"].data["ori_filename"] == "im6.jpg"
    assert "has 64x96 pixels now, and had 96x64" in capfd.readouterr().err


def test_an_image_that_is_cut_later_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    data = made(tmp_path)
    cut(image(tmp_path, 3))
    assert np.array_equal(loaded(data, 1), cv2.imread(str(image(tmp_path, 3))))


def test_no_image_at_all_ends_the_training(tmp_path: Path) -> None:
    data = made(tmp_path)
    for number in (0, 3, 6):
        image(tmp_path, number).unlink()
    with pytest.raises(RunError, match="no training image can be read any more"):
        build_dataset(config(data, "train", TRAIN))[1]


class Sure(torch.nn.Module):
    """Finds the annotated box in every image that it is shown."""

    with_mask = False

    def forward(self, img: Any, img_metas: Any, **_: Any) -> list[Any]:
        return [[np.array([[4, 8, 44, 28, 0.9]], dtype=np.float32)] for _ in img_metas[0]]


class WithMasks(Sure):
    with_mask = True


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_counts_it_as_an_image_without_detections(
    tmp_path: Path, workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = made(tmp_path)
    dataset = build_dataset(config(data, "search", TEST))
    image(tmp_path, 4).unlink()
    capfd.readouterr()
    for _ in range(2):
        results = predict(Sure(), loaders.test_loader(dataset, workers), torch.device("cpu"))
    assert [len(by_class[0]) for by_class in results] == [1, 0, 1]
    assert score(dataset, results, "mAP")["mAP"] == pytest.approx(0.663, abs=0.01)
    assert capfd.readouterr().err.count("it counts as an image without detections") == 1
    masks = predict(WithMasks(), loaders.test_loader(torch.utils.data.Subset(dataset, [1]), 0), torch.device("cpu"))
    assert len(masks[0][0][0]) == 0
    assert masks[0][1] == [[]]
