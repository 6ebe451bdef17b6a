"""Specifications: what is shipped parses, and what is wrong is named with file, key and nearest match."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kdbench.errors import InputError
from kdbench.specs import resources
from kdbench.specs.base import canonical_json, content_hash
from kdbench.specs.recipe import task_recipe, teacher_recipe
from kdbench.specs.space import Domain, SpaceSpec, check_names, choose, grid_points, load_space, training_space
from kdbench.specs.task import load_task
from kdbench.specs.training import ScheduleSpec

TASKS = resources.names("benchmarks/tasks")


@pytest.mark.parametrize("name", TASKS)
def test_shipped_tasks_parse_and_bear_their_name(name: str) -> None:
    assert load_task(name).name == name


def test_the_tasks_of_the_issue_are_there() -> None:
    assert {
        "shapes",
        "shapes_two_stage",
        "bccd",
        "voc/faster_rcnn_r101_r50",
        "coco/faster_rcnn_r101_r50_1x",
        "coco/faster_rcnn_r152_r50_1x",
        "coco/retinanet_r101_r50_1x",
        "coco/retinanet_r152_r50_1x",
        "coco/gfl_r101_2x_r50_1x",
    } <= set(TASKS)


def test_defeat_on_voc_is_the_published_setting() -> None:
    task = load_task("voc/faster_rcnn_r101_r50")
    schedule = task.schedule
    assert task.pipeline.image_scale == (1000, 600)
    assert schedule.epochs * task.dataset.repeat == 12
    assert schedule.samples_per_gpu * schedule.gpus == 16
    assert (schedule.optimizer, schedule.lr, schedule.steps, schedule.grad_clip) == ("SGD", 0.01, (3,), 35)


def test_lgd_on_crowdhuman_is_scored_as_the_reference_is() -> None:
    task = load_task("crowdhuman/faster_rcnn_r50")
    assert (task.metric, task.dataset.boxes, task.pipeline.image_scale) == ("mMR", "full", (1400, 800))
    for model in (task.student, task.teacher):
        assert model.set["model.test_cfg.rcnn.score_thr"] == 0.01
        assert model.set["model.test_cfg.rcnn.max_per_img"] == -1
        assert model.set["model.train_cfg.rcnn.assigner.ignore_iof_thr"] == 0.5
    schedule = task.schedule
    assert (schedule.epochs, schedule.steps) == (30, (24, 27))
    assert schedule.lr == pytest.approx(1.25e-3 * schedule.samples_per_gpu * schedule.gpus)


def write(path: Path, data: Any) -> str:
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return str(path)


def shapes() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((resources.folder("benchmarks/tasks") / "shapes.yaml").read_text())
    return data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(schedul=1), ["unknown key 'schedul'", "did you mean 'schedule'?"]),
        (lambda d: d["schedule"].update(lrr=1), ["unknown key 'schedule.lrr'", "'lr'"]),
        (lambda d: d["schedule"].update(lr=-1), ["'schedule.lr'", "greater than 0"]),
        (lambda d: d["schedule"].update(epochs=0), ["'schedule.epochs'"]),
        (lambda d: d.pop("student"), ["key 'student' is missing"]),
        (lambda d: d["dataset"].update(kind="shpes"), ["'dataset.kind'", "shapes"]),
        (lambda d: d["dataset"]["train"].update(cut=0.1), ["exactly one of"]),
        (lambda d: d["teacher_schedule"].update(optimizer="Adamax"), ["SGD"]),
    ],
)
def test_a_wrong_task_is_named(tmp_path: Path, change: Any, words: list[str]) -> None:
    data = shapes()
    change(data)
    file = write(tmp_path / "task.yaml", data)
    with pytest.raises(InputError) as error:
        load_task(file)
    message = str(error.value)
    assert message.startswith(file)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3, column \d+: broken YAML"):
        load_task(write(tmp_path / "task.yaml", "name: x\ntitle: [1, 2\nmetric: mAP\n"))


def test_an_unknown_task_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'shapes'"):
        load_task("shape")
    with pytest.raises(InputError, match="does not exist"):
        load_task("nowhere/mine.yaml")


def test_changes_reach_the_task_and_the_mmdet_config() -> None:
    task = load_task("shapes", {"schedule.lr": 0.5, "student.model.backbone.depth": 34})
    assert task.schedule.lr == 0.5
    assert task.student.set["model.backbone.depth"] == 34
    with pytest.raises(InputError, match=r"--set schedule\.lrx.*did you mean"):
        load_task("shapes", {"schedule.lrx": 0.5})


def test_a_models_config_may_lie_beside_the_task(tmp_path: Path) -> None:
    data = shapes()
    data["student"]["config"] = "mine.py"
    (tmp_path / "mine.py").write_text("model = dict()\n")
    assert load_task(write(tmp_path / "task.yaml", data)).student.config == str((tmp_path / "mine.py").resolve())


def test_recipe_identity() -> None:
    task = load_task("shapes")
    one = task_recipe(task, "none", {}, {}, None, 0)
    same = task_recipe(load_task("shapes"), "none", {}, {}, None, 0)
    other_seed = task_recipe(task, "none", {}, {}, None, 1)
    other_lr = task_recipe(task, "none", {}, {"lr": 0.1}, None, 0)
    assert one.hash == same.hash
    assert one.hash != other_seed.hash
    assert one.config_hash == other_seed.config_hash != other_lr.config_hash
    assert type(one).parse(one.plain(), "again").hash == one.hash
    assert teacher_recipe(task).schedule.epochs == 16


def test_canonical_json_ignores_order() -> None:
    assert content_hash({"a": 1, "b": [1.5, None]}) == content_hash({"b": [1.5, None], "a": 1})
    with pytest.raises(ValueError):
        canonical_json({"a": float("nan")})


def test_steps_keep_their_share_of_other_epochs() -> None:
    schedule = ScheduleSpec(epochs=12, lr=0.1, steps=(8, 11))
    assert schedule.with_epochs(24).steps == (16, 22)
    assert schedule.with_epochs(1).steps == ()


def space(**params: Any) -> dict[str, Domain]:
    return SpaceSpec.parse({"method": "m", "params": params}, "test").params


def test_conditions_decide_what_is_chosen() -> None:
    domains = space(
        w={"loguniform": [0.1, 10], "or": 0, "when": {"detector": "two_stage"}},
        t={"choice": [1, 2], "when": {"w": {"above": 0}}},
    )

    def picks(values: dict[str, Any], **context: Any) -> dict[str, Any]:
        return choose(domains, {}, context, lambda name, _: values[name])

    assert picks({"w": 0.0, "t": 2}, detector="two_stage") == {"w": 0.0}
    assert picks({"w": 0.5, "t": 2}, detector="two_stage") == {"w": 0.5, "t": 2}
    assert picks({"w": 0.5, "t": 2}, detector="one_stage", w=0.0) == {}
    assert choose(domains, {"w": 1.0}, {"detector": "one_stage"}, lambda *_: 1) == {"t": 1}


def test_the_grid_visits_every_point_once() -> None:
    domains = space(a={"choice": [0, 1]}, b={"uniform": [0, 1], "when": {"a": 1}})
    points = list(grid_points(domains, {}, {}))
    assert points == [{"a": 0}, {"a": 1, "b": 0.0}, {"a": 1, "b": 0.5}, {"a": 1, "b": 1.0}]


def test_a_value_stays_below_the_one_that_limits_it() -> None:
    domains = space(start={"choice": [0.0, 0.2]}, freeze={"uniform": [0, 0.4], "at_most": "start"})
    assert choose(domains, {}, {}, lambda name, _: {"start": 0.2, "freeze": 0.3}[name]) == {"start": 0.2, "freeze": 0.2}
    assert choose(domains, {"start": 0.5}, {}, lambda *_: 0.3) == {"freeze": 0.3}
    assert [tuple(point.values()) for point in grid_points(domains, {}, {})] == [(0.0, 0.0), (0.2, 0.0), (0.2, 0.2)]


def test_a_limit_is_a_parameter_that_stands_above() -> None:
    spec = {"method": "m", "params": {"freeze": {"uniform": [0, 1], "at_most": "start"}, "start": {"uniform": [0, 1]}}}
    with pytest.raises(InputError, match="has to stand above it"):
        check_names(SpaceSpec.parse(spec, "test"), ["freeze", "start"], "test")
    with pytest.raises(InputError, match="no parameter 'start'"):
        check_names(SpaceSpec.parse(spec, "test"), ["freeze"], "test")


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ({"uniform": [1, 1]}, "not below"),
        ({"loguniform": [0, 1]}, "above 0"),
        ({"choice": []}, "at least one"),
        ({"choice": [1], "at_most": "y"}, "goes with a range"),
        ({"uniform": [0, 1], "choice": [1]}, "exactly one"),
        ({"unifrom": [0, 1]}, "unknown key 'params.x.unifrom'"),
    ],
)
def test_a_wrong_domain_is_named(domain: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        space(x=domain)


def test_shipped_spaces_contain_the_published_values() -> None:
    from kdbench.methods import registry
    from kdbench.methods.base import DetectorInfo

    for name in resources.names("search_spaces"):
        method = registry.get(name)
        for family in ("one_stage", "two_stage"):
            info = DetectorInfo(family, 3, (8,) * 5, (8, 16, 32, 64, 128), (4, 8, 16, 32))  # type: ignore[arg-type]
            values = {**method.Params().plain(), **method.default_params(info)}
            for key, domain in load_space(name).params.items():
                published = 1.0 if domain.relative else values[key]
                assert domain.contains(published), (
                    f"{name} {family}: published {key}={values[key]} is outside its domain"
                )


def test_training_space_names_the_unknown() -> None:
    assert list(training_space(("lr", "grad_clip"))) == ["lr", "grad_clip"]
    with pytest.raises(InputError, match="did you mean 'lr'|known:"):
        training_space(("lrr",))
