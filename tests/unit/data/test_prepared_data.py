"""Datasets: generated, COCO and VOC; dirt is counted, wrong input is one line, preparing is safe."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kdbench.data import Prepared, loaders, prepare
from kdbench.data.loaders import EpochSampler, build_dataset
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec
from kdbench.specs.task import load_task

BCCD = Path(__file__).parents[4] / "shared" / "data" / "BCCD"


def shapes(**changes: Any) -> DatasetSpec:
    values: dict[str, Any] = {"kind": "shapes", "name": "shapes", "image_size": [64, 96]}
    values |= {"train": {"size": 6}, "search": {"size": 3}, "report": {"size": 3}}
    return DatasetSpec.parse({**values, **changes}, "test")


def content(data: Prepared, split: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(data.splits[split].annotations.read_text())
    return result


def test_shapes_are_the_same_bytes_from_the_same_seed(tmp_path: Path) -> None:
    one, two = prepare(shapes(), tmp_path / "a", None), prepare(shapes(), tmp_path / "b", None)
    other = prepare(shapes(seed=1), tmp_path / "a", None)
    for split in ("train", "search", "report"):
        assert content(one, split) == content(two, split)
        assert content(one, split) != content(other, split)
        for image in content(one, split)["images"]:
            first, second = (d.splits[split].images / image["file_name"] for d in (one, two))
            assert first.read_bytes() == second.read_bytes()


def test_a_larger_split_leaves_the_other_images_alone(tmp_path: Path) -> None:
    one = prepare(shapes(), tmp_path, None)
    more = prepare(shapes(train={"size": 9}), tmp_path, None)
    assert content(one, "search") == content(more, "search")
    names = [image["file_name"] for image in content(one, "train")["images"]]
    assert len(names) == 6
    for name in names:
        assert (one.splits["train"].images / name).read_bytes() == (more.splits["train"].images / name).read_bytes()


def test_boxes_are_tight_around_masks(tmp_path: Path) -> None:
    from pycocotools import mask as decoder

    data = prepare(shapes(train={"size": 30}), tmp_path, None)
    found = content(data, "train")["annotations"]
    assert len(found) >= 30
    for item in found:
        mask = decoder.decode({**item["segmentation"], "counts": item["segmentation"]["counts"].encode()})
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        left, top, width, height = item["bbox"]
        assert (left, top) == (columns[0], rows[0])
        assert (width, height) == (columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        assert item["area"] == mask.sum()


def test_the_second_time_is_found_and_half_made_folders_are_harmless(tmp_path: Path) -> None:
    (tmp_path / "datasets" / ".shapes-half").mkdir(parents=True)
    first = prepare(shapes(), tmp_path, None)
    stamp = (first.folder / "prepared.json").stat().st_mtime_ns
    second = prepare(shapes(), tmp_path, None)
    assert second == first
    assert (first.folder / "prepared.json").stat().st_mtime_ns == stamp


def _prepare(folder: str) -> str:
    return prepare(shapes(), Path(folder), None).hash


def test_several_processes_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        hashes = pool.map(_prepare, [str(tmp_path)] * 4)
    assert len(set(hashes)) == 1
    assert len([p for p in (tmp_path / "datasets").iterdir() if p.is_dir()]) == 1


def voc(root: Path, objects: dict[str, list[str]], width: int = 80, height: int = 60) -> Path:
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, items in objects.items():
        cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), np.full((60, 80, 3), 90, np.uint8))
        size = f"<size><width>{width}</width><height>{height}</height></size>"
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{''.join(items)}</annotation>")
    for split in ("train", "val", "test"):
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(objects) + "\n")
    return root


def item(name: str, *corners: float, difficult: int = 0) -> str:
    sides = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"


def voc_spec(**changes: Any) -> DatasetSpec:
    values: dict[str, Any] = {"kind": "voc", "name": "mine", "classes": ["cat", "dog"]}
    values |= {
        "train": {"image_sets": ["train"]},
        "search": {"image_sets": ["val"]},
        "report": {"image_sets": ["test"]},
    }
    return DatasetSpec.parse({**values, **changes}, "test")


def test_every_kind_of_dirt_is_counted(tmp_path: Path) -> None:
    root = voc(
        tmp_path / "voc",
        {
            "good": [item("cat", 5, 5, 20, 20), item("dog", 1, 1, 10, 9, difficult=1)],
            "zero": [item("cat", 5, 5, 5, 20), item("cat", 5, 5, 20, 20)],
            "beyond": [item("dog", -5, 10, 20, 50), item("dog", 100, 100, 120, 120)],
            "strange": [item("bird", 5, 5, 20, 20), item("cat", 1, 1, "nan", 4)],  # type: ignore[arg-type]
            "empty": [],
        },
        width=0,
    )
    with open(root / "ImageSets" / "Main" / "train.txt", "a") as file:
        file.write("good\nnowhere\n")
    data = prepare(voc_spec(), tmp_path / "storage", root)
    for words in (
        "6 boxes without area",
        "3 boxes outside",
        "3 boxes clipped",
        "3 boxes of unknown classes",
        "6 images without objects kept",
        "1 listed images without a file",
        "1 images listed twice",
    ):
        assert words in data.notes
    assert "\n" not in data.notes
    train = content(data, "train")
    assert (train["images"][0]["width"], train["images"][0]["height"]) == (80, 60)
    assert [a["iscrowd"] for a in train["annotations"]].count(1) == 1
    assert all(a["bbox"][2] >= 1 and a["bbox"][3] >= 1 for a in train["annotations"])
    dataset = build_dataset(config(data, "train"))
    assert len(dataset) == 5


def config(data: Prepared, split: str) -> dict[str, Any]:
    files = data.splits[split]
    load: list[dict[str, Any]] = [{"type": "LoadImageFromFile"}, {"type": "Collect", "keys": ["img"], "meta_keys": ()}]
    place = {"ann_file": str(files.annotations), "img_prefix": str(files.images)}
    return {"type": "CocoDataset", **place, "classes": data.classes, "pipeline": load, "filter_empty_gt": False}


def test_perfect_detections_score_one(tmp_path: Path) -> None:
    from kdbench.evaluation.scoring import score

    data = prepare(shapes(), tmp_path, None)
    dataset = build_dataset({**config(data, "search"), "test_mode": True})
    results = []
    for index in range(len(dataset)):
        truth = dataset.get_ann_info(index)
        rows = np.hstack([truth["bboxes"], np.ones((len(truth["bboxes"]), 1), np.float32)])
        results.append([rows[truth["labels"] == label] for label in range(len(data.classes))])
    figures = score(dataset, results, "AP50_11")
    assert figures["mAP"] == pytest.approx(1.0)
    assert figures["AP50_11"] == pytest.approx(1.0)
    nothing = [[np.zeros((0, 5), np.float32)] * len(data.classes)] * len(dataset)
    assert score(dataset, nothing, "mAP")["mAP"] == 0.0


def test_a_cut_is_seeded_and_leaves_train(tmp_path: Path) -> None:
    root = voc(tmp_path / "voc", {f"i{n:02d}": [item("cat", 5, 5, 20, 20)] for n in range(20)})
    data = prepare(voc_spec(search={"cut": 5}), tmp_path, root)
    names = {s: {i["file_name"] for i in content(data, s)["images"]} for s in ("train", "search")}
    assert (len(names["train"]), len(names["search"])) == (15, 5)
    assert not names["train"] & names["search"]
    listed = root / "ImageSets" / "Main" / "train.txt"
    listed.write_text("\n".join(reversed(listed.read_text().split())))
    again = prepare(voc_spec(search={"cut": 5}), tmp_path / "again", root)
    assert {i["file_name"] for i in content(again, "search")["images"]} == names["search"]
    other = prepare(voc_spec(search={"cut": 0.25}, cut_seed=1), tmp_path, root)
    assert {i["file_name"] for i in content(other, "search")["images"]} != names["search"]
    with pytest.raises(InputError, match="cuts 20 of 20"):
        prepare(voc_spec(search={"cut": 20}), tmp_path, root)


def coco(root: Path) -> DatasetSpec:
    (root / "images").mkdir(parents=True)
    cv2.imwrite(str(root / "images" / "a.png"), np.zeros((20, 20, 3), np.uint8))
    boxes = [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [2, 2, 9, 9], "area": 81, "iscrowd": 0}]
    images = [{"id": 7, "file_name": "a.png", "width": 20, "height": 20}]
    text = json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 3, "name": "cat"}]})
    (root / "a.json").write_text(text)
    split = {"annotations": "a.json", "images": "images"}
    return DatasetSpec.parse({"kind": "coco", "name": "own", "train": split, "search": split, "report": split}, "test")


def test_a_coco_file_of_ones_own(tmp_path: Path) -> None:
    spec = coco(tmp_path / "data")
    data = prepare(spec, tmp_path, tmp_path / "data")
    assert data.classes == ("cat",)
    assert content(data, "train")["annotations"][0]["bbox"] == [2, 2, 9, 9]
    # Prepared again when the file has changed.
    (tmp_path / "data" / "a.json").write_text((tmp_path / "data" / "a.json").read_text() + "\n")
    assert prepare(spec, tmp_path, tmp_path / "data").hash != data.hash


def test_the_identity_of_the_annotations_goes_with_them_and_not_with_their_place(tmp_path: Path) -> None:
    one, two = (prepare(coco(tmp_path / name), tmp_path / "home", tmp_path / name) for name in ("one", "two"))
    assert one.hash != two.hash
    assert one.content == two.content != ""
    for known in (two.content, ""):
        one.check_content(known, "s")
    file = tmp_path / "two" / "a.json"
    file.write_text(file.read_text().replace("[2, 2, 9, 9]", "[2, 2, 9, 8]"))
    spec = coco(tmp_path / "three")
    changed = prepare(spec, tmp_path / "home", tmp_path / "two")
    with pytest.raises(InputError, match="study s: the annotations of dataset own have changed since it began"):
        changed.check_content(one.content, "s")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda root: (root / "a.json").write_text((root / "a.json").read_text()[:80]),
            r"a\.json: broken JSON \(line 1",
        ),
        (lambda root: (root / "a.json").write_text("{}"), "not in COCO's format"),
        (lambda root: (root / "a.json").unlink(), "has no a.json"),
        (lambda root: (root / "images").rename(root / "pictures"), "no image folder images"),
        (
            lambda root: (root / "a.json").write_text('{"images": [], "annotations": [], "categories": []}'),
            "no usable object",
        ),
    ],
)
def test_wrong_coco_input_is_one_line(tmp_path: Path, spoil: Any, words: str) -> None:
    spec = coco(tmp_path / "data")
    spoil(tmp_path / "data")
    with pytest.raises(InputError, match=words) as error:
        prepare(spec, tmp_path, tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "datasets").glob("own-*"))


def test_wrong_voc_input_is_one_line(tmp_path: Path) -> None:
    root = voc(tmp_path / "voc", {"one": [item("cat", 5, 5, 20, 20)]})
    with pytest.raises(InputError, match="say where with --data-root"):
        prepare(voc_spec(), tmp_path, None)
    with pytest.raises(InputError, match="is not a folder"):
        prepare(voc_spec(), tmp_path, tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not a VOC folder, it has no Annotations"):
        prepare(voc_spec(), tmp_path, tmp_path)
    with pytest.raises(InputError, match="did you mean 'train'"):
        prepare(voc_spec(train={"image_sets": ["trian"]}), tmp_path, root)
    (root / "Annotations" / "one.xml").write_text("<annotation><size>")
    with pytest.raises(InputError, match=r"one\.xml: broken XML at line 1"):
        prepare(voc_spec(), tmp_path, root)


@pytest.mark.skipif(not BCCD.is_dir(), reason="the BCCD images are not beside this checkout")
def test_bccd_as_it_was_found(tmp_path: Path) -> None:
    data = prepare(load_task("bccd").dataset, tmp_path, BCCD)
    assert {name: split.num_images for name, split in data.splits.items()} == {"train": 205, "search": 87, "report": 72}
    assert data.notes == "2 boxes without area dropped"


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone(tmp_path: Path) -> None:
    sampler = EpochSampler(range(23), 4, seed=5)
    sampler.set_epoch(3)
    first = list(sampler)
    np.random.seed(0)
    sampler.set_epoch(2)
    assert list(sampler) != first
    sampler.set_epoch(3)
    assert list(sampler) == first
    assert len(first) == len(sampler) == 24
    assert set(first) == set(range(23))


def test_shares_of_processes_are_equal_and_cover_everything() -> None:
    shares = [list(EpochSampler(range(21), 4, seed=1, rank=rank, world=2)) for rank in range(2)]
    assert len(shares[0]) == len(shares[1]) == 12
    assert set(shares[0]) | set(shares[1]) == set(range(21))
    whole = list(EpochSampler(range(21), 8, seed=1))
    assert [*shares[0][:4], *shares[1][:4]] == whole[:8]


def test_loaders_give_batches_and_shares(tmp_path: Path) -> None:
    data = prepare(shapes(), tmp_path, None)
    dataset = build_dataset(config(data, "train"))
    assert len(loaders.train_loader(dataset, 4, 0, 0)) == 2
    assert [len(loaders.test_loader(dataset, 0, rank, 4)) for rank in range(4)] == [2, 2, 1, 1]
