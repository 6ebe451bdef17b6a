"""`kdbench task FOLDER`: every layout is found, its splits are right, and what is written is a task that prepares."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from kdbench.data import prepare
from kdbench.detectors import configs, models
from kdbench.errors import InputError
from kdbench.planning.drafting import networks
from kdbench.planning.drafting.draft import Draft
from kdbench.planning.drafting.folder import draft_folder, find_layout
from kdbench.planning.drafting.networks import Network
from kdbench.planning.drafting.splits import three_splits
from kdbench.planning.drafting.writing import draft
from kdbench.specs.task import TaskSpec, data_folder, load_task
from tests import exports


def drafted(root: Path, tmp_path: Path, **more: Any) -> tuple[Draft, TaskSpec, list[str]]:
    said: list[str] = []
    wishes: dict[str, Any] = {"student": None, "teacher": None, "gpu": False, "max_bad": 0.01, **more}
    made = draft_folder(root, tmp_path / "home", output=tmp_path / "mine.yaml", say=said.append, **wishes)
    (tmp_path / "mine.yaml").write_text(made.text())
    return made, load_task(str(tmp_path / "mine.yaml")), said


def one_coco(root: Path) -> Path:
    exports.coco(root / "annotations" / "instances_default.json", root / "images", 12)
    return root


def yolo_with_names(root: Path) -> Path:
    """labelImg's YOLO: images, labels and classes.txt, no data.yaml."""
    exports.yolo(root, (12,))
    for name in ("images", "labels"):
        shutil.move(root / "train" / name, root / name)
    (root / "data.yaml").unlink()
    (root / "labels" / "classes.txt").write_text("ball\nbox\n")
    return root


CUT = {"search": {"cut": 0.15}, "report": {"cut": 0.2}}


@pytest.mark.parametrize(
    ("write", "kind", "splits"),
    [
        (exports.label_img, "voc", {"train": {"annotations": "labels", "images": "photos"}, **CUT}),
        (exports.in_one, "voc", {"train": {"annotations": ".", "images": "."}, **CUT}),
        (
            exports.voc,
            "voc",
            {
                split: {"image_sets": [name]}
                for split, name in (("train", "train"), ("search", "val"), ("report", "test"))
            },
        ),
        (
            exports.roboflow,
            "coco",
            {
                split: {"annotations": f"{name}/_annotations.coco.json", "images": name}
                for split, name in (("train", "train"), ("search", "valid"), ("report", "test"))
            },
        ),
        (one_coco, "coco", {"train": {"annotations": "annotations/instances_default.json", "images": "images"}, **CUT}),
        (
            exports.yolo,
            "yolo",
            {
                split: {"images": f"{name}/images"}
                for split, name in (("train", "train"), ("search", "valid"), ("report", "test"))
            },
        ),
        (yolo_with_names, "yolo", {"train": {"images": "images"}, **CUT}),
    ],
)
def test_layouts(write: Callable[[Path], Path], kind: str, splits: dict[str, Any], tmp_path: Path) -> None:
    root = write(tmp_path / "data")
    made, task, said = drafted(root, tmp_path)
    assert made.content["dataset"]["kind"] == kind
    assert {name: made.content["dataset"][name] for name in splits} == splits
    assert task.dataset.classes == exports.CLASSES
    assert task.dataset.cut_by == ("classes" if "cut" in splits["report"] else "random")
    assert data_folder(None, task) == root
    (prepared,) = (tmp_path / "home" / "datasets").glob("*/prepared.json")
    data = prepare(task.dataset, tmp_path / "home", root)
    assert data.folder == prepared.parent
    whole = sum(split.num_images for split in data.splits.values())
    assert whole == (14 if len([s for s in splits.values() if "cut" not in s]) == 3 and kind != "voc" else 12)
    assert sum(split.num_boxes for split in data.splits.values()) == 2 * whole
    assert any(f"images: {whole}" in line for line in said)
    assert any("classes: 2 (ball" in line for line in said)


def test_of_a_train_and_one_other_split_the_other_is_the_reports() -> None:
    splits, how = three_splits({"train": {"images": "a"}, "search": {"images": "b"}})
    assert splits == {"train": {"images": "a"}, "search": {"cut": 0.15}, "report": {"images": "b"}}
    assert "val split is for the report" in how


def test_a_dirty_folder_is_drafted_as_it_is_searched(tmp_path: Path) -> None:
    root = exports.roboflow(tmp_path / "data")
    (root / "train" / "picture_0_3.jpg").write_text("<html>not found</html>")
    with pytest.raises(InputError, match=r"1 of 14 images cannot be read: picture_0_3\.jpg .*--max-bad 8% "):
        drafted(root, tmp_path)
    made, _, said = drafted(root, tmp_path, max_bad=0.08)
    text = " ".join((tmp_path / "mine.yaml").read_text().replace("\n# ", " ").split())
    assert "Run: kdbench search fgd --task mine.yaml --max-bad 8% " in text
    assert "1 images that cannot be read left out" in text
    assert any("1 images that cannot be read left out" in line and "problems.csv" in line for line in said)
    assert made.content["dataset"]["classes"] == list(exports.CLASSES)


def test_a_task_is_not_called_as_one_of_kdbench_s_own(tmp_path: Path) -> None:
    wishes: dict[str, Any] = {"student": None, "teacher": None, "gpu": False, "max_bad": 0.01, "say": print}
    made = draft_folder(exports.roboflow(tmp_path / "BCCD"), tmp_path / "home", output=None, **wishes)
    assert (made.content["name"], made.content["dataset"]["name"]) == ("my_bccd", "my_bccd")


def test_splits_that_share_images_are_told_when_the_task_is_written(tmp_path: Path) -> None:
    root = exports.roboflow(tmp_path / "data")
    shutil.rmtree(root / "test")
    shutil.copytree(root / "valid", root / "test")
    _, _, said = drafted(root, tmp_path)
    assert any("3 of 3 images of the report split are in an earlier split too" in line for line in said)
    assert "3 of 3 images of the report split" in (tmp_path / "mine.yaml").read_text()


def test_a_test_split_that_nobody_annotated_is_left_aside_and_said(tmp_path: Path) -> None:
    root = exports.roboflow(tmp_path / "data")
    file = root / "test" / "_annotations.coco.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "annotations": []}))
    made, task, _ = drafted(root, tmp_path)
    assert task.dataset.search.cut is not None
    assert task.dataset.report.images == "valid"
    assert any("report split has 3 images and no object" in note for note in made.notes)
    assert any("report split has 3 images" in line.replace("\n# ", " ") for line in made.text().splitlines())


def test_two_files_for_one_split_are_refused_with_both_names(tmp_path: Path) -> None:
    exports.coco(tmp_path / "a.json", tmp_path, 2)
    exports.coco(tmp_path / "b.json", tmp_path, 2)
    with pytest.raises(InputError, match=r"a\.json and b\.json"):
        find_layout(tmp_path)


def test_a_folder_without_annotations_says_what_lies_there(tmp_path: Path) -> None:
    exports.label_img(tmp_path, 2)
    shutil.rmtree(tmp_path / "labels")
    (tmp_path / "notes.csv").write_text("a,b\n")
    with pytest.raises(InputError, match=r"2 images, files \.csv, \.jpg"):
        find_layout(tmp_path)


def test_label_files_without_names_are_refused(tmp_path: Path) -> None:
    root = yolo_with_names(tmp_path / "data")
    (root / "labels" / "classes.txt").unlink()
    with pytest.raises(InputError, match="names of classes"):
        find_layout(root)


@pytest.mark.parametrize(("names", "words"), [({0: "ball", 2: "box"}, "gap"), ([], "list of classes")])
def test_names_of_a_data_yaml(names: Any, words: str, tmp_path: Path) -> None:
    root = exports.yolo(tmp_path / "data")
    file = root / "data.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "names": names}))
    with pytest.raises(InputError, match=words):
        find_layout(root)


def test_paths_of_another_machine_are_found_by_their_tail(tmp_path: Path) -> None:
    root = exports.yolo(tmp_path / "data")
    file = root / "data.yaml"
    content = yaml.safe_load(file.read_text())
    file.write_text(
        yaml.safe_dump({**content, "path": "/content/datasets/x", "train": "/content/datasets/x/train/images"})
    )
    assert find_layout(root).splits["train"] == {"images": "train/images"}


def test_networks_fit_the_machine_and_the_wish(tmp_path: Path) -> None:
    root = exports.roboflow(tmp_path / "data")
    made, task, _ = drafted(root, tmp_path)
    assert task.student.set["model.backbone.base_channels"] == 16
    assert task.schedule.optimizer == "AdamW"
    assert made.content["pipeline"]["image_scale"] == [96, 64]
    _, large, _ = drafted(root, tmp_path, gpu=True)
    assert (large.student.config, large.teacher.config) == (
        "retinanet/retinanet_r18_fpn_1x_coco",
        "retinanet/retinanet_r50_fpn_1x_coco",
    )
    assert large.student.pretrained
    assert (large.schedule.optimizer, large.schedule.norm_frozen) == ("SGD", True)
    _, wished, _ = drafted(root, tmp_path, student="r50", teacher="r101")
    assert wished.teacher.config == "retinanet/retinanet_r101_fpn_1x_coco"
    _, own, _ = drafted(root, tmp_path, student="fcos/fcos_r50_caffe_fpn_gn-head_1x_coco")
    assert own.teacher.set["model.backbone.depth"] == 101


@pytest.mark.parametrize(("depth", "deeper", "neck"), [(18, 34, [16, 32, 64, 128]), (34, 50, [64, 128, 256, 512])])
def test_the_teacher_of_a_narrow_resnet_is_as_narrow_and_deeper(depth: int, deeper: int, neck: list[int]) -> None:
    narrow = {"base_channels": 16, "stem_channels": 16, "depth": depth, "init_cfg": None}
    changes = {f"model.backbone.{key}": value for key, value in narrow.items()}
    changes["model.neck.in_channels"] = [16, 32, 64, 128]
    config = "retinanet/retinanet_r18_fpn_1x_coco"
    teacher = networks.larger(Network({"config": config, "set": changes}, "a narrow one"), config)
    assert teacher.spec["set"]["model.backbone.depth"] == deeper
    cfg = configs.load_model_config(config, teacher.spec["set"])
    assert cfg.model.neck.in_channels == neck
    features = models.build(cfg.model, seed=0).backbone(torch.zeros(1, 3, 64, 64))
    assert [feature.shape[1] for feature in features] == neck


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    root = exports.roboflow(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    wishes: dict[str, Any] = {"student": None, "teacher": None, "data_root": None, "max_bad": 0.01, "say": print}
    with pytest.raises(InputError, match="--force"):
        draft(str(root), tmp_path / "home", output=tmp_path / "mine.yaml", force=False, **wishes)
    with pytest.raises(InputError, match=r"give its folder"):
        draft(str(root / "train" / "_annotations.coco.json"), tmp_path / "home", output=None, force=False, **wishes)
    with pytest.raises(InputError, match=r"no_such: no such folder, and none of mmdet's own"):
        draft(str(tmp_path / "no_such"), tmp_path / "home", output=None, force=False, **wishes)
    with pytest.raises(InputError, match=r"ends with \.yaml"):
        draft(str(root), tmp_path / "home", output=tmp_path / "mine.txt", force=False, **wishes)


@pytest.mark.parametrize(
    ("write", "words"),
    [(exports.in_one, "the folder itself, beside the images"), (exports.label_img, "labels/ with images in photos/")],
)
def test_where_xml_and_images_lie_is_said(write: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    assert find_layout(write(tmp_path / "data")).what == f"XML files in VOC's format ({words})"


def test_xml_wins_over_texts_beside_the_images(tmp_path: Path) -> None:
    root = exports.in_one(tmp_path / "data")
    for image in root.glob("*.jpg"):
        image.with_suffix(".txt").write_text("a caption\n")
    assert find_layout(root).kind == "voc"


def test_json_of_another_tool_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"shapes": [], "imagePath": "a.jpg"}))
    with pytest.raises(InputError, match="LabelMe"):
        find_layout(tmp_path)


def test_a_broken_coco_file_is_not_passed_over(tmp_path: Path) -> None:
    exports.coco(tmp_path / "a.json", tmp_path, 2)
    (tmp_path / "a.json").write_text((tmp_path / "a.json").read_text()[:-30])
    with pytest.raises(InputError, match="broken JSON"):
        find_layout(tmp_path)


def test_splits_whose_images_have_the_same_names_keep_apart(tmp_path: Path) -> None:
    """Frames are numbered from 0 in every folder: a train split with the images of another would be learnt wrongly."""
    for split in ("train", "valid", "test"):
        exports.label_img(tmp_path / "roboflow" / split, 3, xml=".", images=".")
    found = find_layout(tmp_path / "roboflow").splits
    assert {split: keys["images"] for split, keys in found.items()} == {
        "train": "train",
        "search": "valid",
        "report": "test",
    }
    for split in ("train", "val"):
        exports.label_img(tmp_path / "two", 3, xml=f"annotations/{split}", images=f"images/{split}")
        exports.coco(
            tmp_path / "coco" / "annotations" / f"instances_{split}2017.json", tmp_path / "coco" / f"{split}2017", 3
        )
    found = find_layout(tmp_path / "two").splits
    assert {split: keys["images"] for split, keys in found.items()} == {"train": "images/train", "search": "images/val"}
    found = find_layout(tmp_path / "coco").splits
    assert {split: keys["images"] for split, keys in found.items()} == {"train": "train2017", "search": "val2017"}


def test_a_link_that_leads_back_is_followed_once(tmp_path: Path) -> None:
    root = one_coco(tmp_path / "data")
    (root / "images" / "up").symlink_to("..")
    assert find_layout(root).splits == {
        "train": {"annotations": "annotations/instances_default.json", "images": "images"}
    }


def test_lists_that_pandas_wrote_as_objects_are_found(tmp_path: Path) -> None:
    root = one_coco(tmp_path / "data")
    path = root / "annotations" / "instances_default.json"
    content = json.loads(path.read_text())
    content["images"] = {str(place): entry for place, entry in enumerate(content["images"])}
    path.write_text(json.dumps(content))
    assert find_layout(root).splits["train"]["images"] == "images"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            [{"file_name": "a.jpg", "annotations": [{"bbox": [1, 2, 3, 4], "bbox_mode": 0}]}],
            "detectron2's list of dicts",
        ),
        ([{"filename": "a.jpg", "ann": {"bboxes": [], "labels": []}}], "mmdet's middle format"),
        ([{"images": [], "annotations": [], "categories": []}], "COCO's object inside of a list"),
        ([{"id": 1, "image": "a.jpg", "label": [{"x": 1, "rectanglelabels": ["cat"]}]}], "JSON-MIN"),
        ({"metainfo": {}, "data_list": []}, "mmdet 3's own JSON"),
        ({"size": {"height": 1, "width": 1}, "objects": []}, "Supervisely's file"),
        ('{"images": []}', "written as a text once more"),
        ({"images": [], "annotations": None, "categories": []}, "'annotations' is no list"),
    ],
)
def test_json_of_more_tools_is_named(content: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        drafted(tmp_path, tmp_path)


def test_pose_labels_of_two_numbers_a_keypoint_are_refused(tmp_path: Path) -> None:
    exports.yolo(tmp_path, (6, 3, 3))
    path = tmp_path / "data.yaml"
    path.write_text(path.read_text() + "kpt_shape: [4, 2]\n")
    with pytest.raises(InputError, match=r"data\.yaml: has pose labels whose keypoints are two numbers each"):
        find_layout(tmp_path)


def test_names_that_yaml_takes_for_no_text_are_said(tmp_path: Path) -> None:
    exports.yolo(tmp_path, (6, 3, 3))
    content = yaml.safe_load((tmp_path / "data.yaml").read_text())
    names = [False, True][: len(content["names"])]
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({**content, "names": names}))
    assert any("takes for no text (False, True)" in note for note in find_layout(tmp_path).notes)


def test_a_split_of_difficult_objects_alone_says_so(tmp_path: Path) -> None:
    root = exports.label_img(tmp_path / "data")
    for path in root.glob("**/*.xml"):
        path.write_text(path.read_text().replace("</name>", "</name><difficult>1</difficult>"))
    with pytest.raises(InputError, match=r"boxes, all crowd or difficult"):
        drafted(root, tmp_path)
