"""Transforms, optimizer settings and data roots of a task: what they may be, and that recipes of before keep their identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kdbench.errors import InputError
from kdbench.specs import resources
from kdbench.specs.recipe import Recipe, task_recipe, teacher_recipe
from kdbench.specs.task import TaskSpec, data_folder, load_task

SHAPES = "23e725552741"
"""Recipe of plain training on shapes."""


def task_file(folder: Path, name: str = "mine", **changes: Any) -> Path:
    data = yaml.safe_load((resources.folder("benchmarks/tasks") / "bccd.yaml").read_text())
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**data, "name": name, **changes}))
    return file


def test_what_is_not_used_is_no_part_of_a_recipe() -> None:
    plain = task_recipe(load_task("shapes"), "none", {}, {}, None, 0).plain()
    assert "train" not in plain["pipeline"]
    assert not {"betas", "nesterov", "paramwise"} & plain["schedule"].keys()


def test_what_is_used_is() -> None:
    changes = {
        "pipeline.train": [{"type": "PhotoMetricDistortion"}],
        "schedule.betas": [0.9, 0.99],
        "schedule.paramwise": {"norm_decay_mult": 0.0},
    }
    plain = task_recipe(load_task("shapes", changes), "none", {}, {}, None, 0).plain()
    assert plain["pipeline"]["train"] == [{"type": "PhotoMetricDistortion"}]
    assert plain["schedule"]["betas"] == [0.9, 0.99]
    assert plain["schedule"]["paramwise"] == {"norm_decay_mult": 0.0}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("pipeline.train", [{"type": "Mosaic", "img_scale": [64, 64]}], ["Mosaic", "several"]),
        ("pipeline.train", [{"type": "MixUp"}], ["MixUp", "MultiImageMixDataset"]),
        ("pipeline.train", [{"type": "LoadImageFromFile"}], ["LoadImageFromFile", "adds itself"]),
        ("pipeline.train", [{"prob": 0.5}], ["type"]),
        ("pipeline", {"image_scale": [64, 64], "short_sides": [32], "train": [{"type": "Resize"}]}, ["short_sides"]),
        ("schedule.betas", [0.9, 1.0], ["betas"]),
        ("schedule.nesterov", True, ["nesterov", "SGD"]),
        ("schedule.paramwise", {"norm_decay": 0.0}, ["norm_decay", "norm_decay_mult"]),
        ("schedule.paramwise", {"custom_keys": {"backbone": {"lr": 0.1}}}, ["backbone", "lr_mult"]),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(key: str, value: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        load_task("shapes", {key: value})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_data_root_counts_from_the_task_file_and_is_no_part_of_identity(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    plain, rooted = load_task(str(task_file(tmp_path))), load_task(str(task_file(tmp_path, data_root="photos")))
    assert data_folder(None, rooted) == tmp_path / "photos"
    assert data_folder(None, plain) is None
    assert data_folder("/elsewhere", rooted) == Path("/elsewhere")
    assert task_recipe(plain, "none", {}, {}, None, 0).hash == task_recipe(rooted, "none", {}, {}, None, 0).hash
    assert "data_root" not in rooted.plain()


def test_tasks_of_a_suite_with_different_data_roots_need_one_that_is_given(tmp_path: Path) -> None:
    one = load_task(str(task_file(tmp_path, "one", data_root="a")))
    other = load_task(str(task_file(tmp_path, "other", data_root="b")))
    with pytest.raises(InputError, match="--data-root"):
        data_folder(None, one, other)
    assert data_folder("both", one, other) == Path("both").absolute()


def test_norm_statistics_are_frozen_where_there_are_some() -> None:
    """`auto`, the default: by what each model starts from, so that student and teacher of one task may differ."""
    data = yaml.safe_load((resources.folder("benchmarks/tasks") / "bccd.yaml").read_text())
    del data["schedule"]["norm_frozen"]
    scratch = TaskSpec.parse(data, "here")
    assert scratch.schedule.norm_frozen == "auto"
    starts: list[tuple[dict[str, Any], bool]] = [({}, False), ({"pretrained": True}, True), ({"init": "w.pth"}, True)]
    for start, frozen in starts:
        one = scratch.model_copy(update={"student": scratch.student.model_copy(update=start)})
        recipe = task_recipe(one, "none", {}, {}, None, 0)
        assert recipe.schedule.norm_frozen is frozen
        assert teacher_recipe(one).schedule.norm_frozen is False
        two = scratch.model_copy(update={"teacher": scratch.teacher.model_copy(update=start)})
        assert teacher_recipe(two).schedule.norm_frozen is frozen
        assert task_recipe(two, "none", {}, {}, None, 0).schedule.norm_frozen is False


def test_a_recipe_has_the_identity_of_the_same_value_written_out() -> None:
    """Also one that a suite or a user's file leaves open; the hash is that of shapes before there was `auto`."""
    written = task_recipe(load_task("shapes"), "none", {}, {}, None, 0)
    assert written.hash == SHAPES
    for changes, training in (
        ({"schedule.norm_frozen": "auto"}, {}),
        ({"schedule.norm_frozen": True}, {"norm_frozen": "auto"}),
    ):
        assert task_recipe(load_task("shapes", changes), "none", {}, training, None, 0) == written
    plain = written.plain()
    del plain["schedule"]["norm_frozen"]
    assert Recipe.parse(plain, "here") == written
    plain["schedule"]["norm_frozen"] = True
    assert Recipe.parse(plain, "here").schedule.norm_frozen is True


def test_another_word_for_frozen_is_refused_by_its_key() -> None:
    with pytest.raises(InputError, match=r"key 'schedule.norm_frozen': is true, false or auto \(given: 'perhaps'\)$"):
        load_task("shapes", {"schedule.norm_frozen": "perhaps"})
