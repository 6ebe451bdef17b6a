"""A trial's config made portable is the same config, for every kind of data."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from kdbench.data import Prepared
from kdbench.data.prepared import SplitFiles
from kdbench.errors import InputError
from kdbench.outcome.plain_config import STALE, images_root, plain_config
from kdbench.specs.recipe import task_recipe
from kdbench.specs.task import load_task
from kdbench.training.config import mmdet_config

IMAGES = {
    "shapes": {"train": "images/train", "search": "images/search", "report": "images/report"},
    "bccd": {"train": "", "search": "", "report": ""},
    "voc/faster_rcnn_r101_r50": {"train": "", "search": "", "report": ""},
    "coco/mask_rcnn_r101_3x_r50_1x_ms": {"train": "train2017", "search": "train2017", "report": "val2017"},
    "crowdhuman/faster_rcnn_r50": {"train": "Images", "search": "Images", "report": "../others/Images"},
}


def prepared(task: str, tmp_path: Path) -> tuple[Prepared, Path | None]:
    """Where a dataset of the task would lie: generated images in the prepared folder, others in the data root."""
    folder, root = tmp_path / "datasets" / "x", tmp_path / "data root"
    base = folder if task == "shapes" else root
    splits = {name: SplitFiles(folder / f"{name}.json", base / part, 1, 1) for name, part in IMAGES[task].items()}
    classes = ("person",) if task.startswith("crowd") else ("driver's licence", "car")
    return Prepared("x", classes, "h", folder, splits, masks=True), None if task == "shapes" else root


@pytest.mark.parametrize("task", list(IMAGES))
def test_everything_but_the_paths_is_as_it_was(task: str, tmp_path: Path) -> None:
    from mmcv import Config

    spec = load_task(task, {"dataset.repeat": 3} if task == "bccd" else {})
    data, root = prepared(task, tmp_path)
    before = mmdet_config(task_recipe(spec, "none", {}, {}, None, 0), data)
    before.device = "cpu"
    before.dump(str(tmp_path / "mmdet_config.py"))
    plain = plain_config(tmp_path / "mmdet_config.py", data, root, "the title\nof it")
    assert plain.device == "cpu"
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "config.py").write_text(plain.text)
    after = Config.fromfile(str(tmp_path / "export" / "config.py"))
    kept = {name: value for name, value in before._cfg_dict.items() if name not in STALE}
    assert {name: after[name] for name in kept} == kept
    for split, section in {"train": "train", "search": "val", "report": "test"}.items():
        old, new = before.data[section], after.data[section]
        if section == "train" and "dataset" in old:
            assert (new.type, new.times) == ("RepeatDataset", 3)
            old, new = old.dataset, new.dataset
        assert new.ann_file == str(tmp_path / "export" / "annotations" / f"{split}.json")
        assert Path(new.img_prefix).resolve() == data.splits[split].images.resolve()
        others = {name: value for name, value in old.items() if name not in ("ann_file", "img_prefix")}
        assert {name: new[name] for name in others} == others
        assert set(new) == set(old)


def test_one_line_names_the_data_and_nothing_else_a_path_of_this_machine(tmp_path: Path) -> None:
    data, root = prepared("bccd", tmp_path)
    mmdet_config(task_recipe(load_task("bccd"), "none", {}, {}, None, 0), data).dump(str(tmp_path / "mmdet_config.py"))
    text = plain_config(tmp_path / "mmdet_config.py", data, root, "title").text
    assert [line for line in text.splitlines() if str(tmp_path) in line] == [f"data_root = '{root}/'"]
    code = ast.dump(ast.parse(text))
    assert "kdbench" not in code
    assert str(images_root(data, root)) == str(root)


def test_a_config_that_is_gone(tmp_path: Path) -> None:
    data, root = prepared("bccd", tmp_path)
    with pytest.raises(InputError, match="is not there"):
        plain_config(tmp_path / "mmdet_config.py", data, root, "title")


def test_an_older_training_does_not_say_its_device(tmp_path: Path) -> None:
    data, root = prepared("shapes", tmp_path)
    cfg: Any = mmdet_config(task_recipe(load_task("shapes"), "none", {}, {}, None, 0), data)
    cfg.dump(str(tmp_path / "mmdet_config.py"))
    assert plain_config(tmp_path / "mmdet_config.py", data, root, "title").device is None
