"""The trainer on real (generated) images: resume, no leak between trainings, guards, several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench.data import Prepared, prepare
from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.specs.recipe import Recipe, TeacherRef, task_recipe
from kdbench.specs.task import TaskSpec, load_task
from kdbench.training.callbacks import Evaluation, Outcome, TrainingCallback
from kdbench.training.job import Job
from kdbench.training.train import train
from tests.integration.stopping import Stop, StopAfter


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def task(tiny_task: Path) -> TaskSpec:
    return load_task(str(tiny_task))


@pytest.fixture(scope="module")
def data(task: TaskSpec, storage: Path) -> Prepared:
    return prepare(task.dataset, storage, None)


@pytest.fixture(scope="module")
def teacher(task: TaskSpec, data: Prepared, storage: Path) -> tuple[TeacherRef, Path]:
    """Weights of a teacher, as its initialisation made them: enough to learn from in a test."""
    from kdbench.detectors import configs, models, weights

    cfg = configs.load_model_config(task.teacher.config, dict(task.teacher.set))
    configs.set_num_classes(cfg, len(data.classes))
    configs.drop_pretrained(cfg)
    path = storage / "teacher.pth"
    weights.export_student(models.build(cfg.model, seed=3), path, {"CLASSES": list(data.classes)})
    return TeacherRef(config=task.teacher.config, set=task.teacher.set, id="test"), path


def recipe(task: TaskSpec, teacher: Any, method: str = "defeat", **training: Any) -> Recipe:
    params: dict[str, Any] = {}
    if method != "none":
        params = registry.get(method).Params().plain()
    return task_recipe(task, method, params, training, teacher[0] if method != "none" else None, 0)


def run(
    recipe: Recipe, data: Prepared, folder: Path, teacher: Any, callback: TrainingCallback | None = None
) -> Outcome:
    return train(Job(recipe, data, folder, teacher[1], device="cpu", threads=1), callback)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "checkpoint.pth", weights_only=True)["state_dict"]
    return state


def assert_same(one: Path, other: Path) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different, different


@pytest.mark.parametrize("method", ["none", "defeat", "icd", "lgd", "mgd"])
def test_interrupted_and_resumed_ends_with_the_same_weights(
    tmp_path: Path, task: TaskSpec, data: Prepared, teacher: Any, method: str
) -> None:
    whole = run(recipe(task, teacher, method), data, tmp_path / "whole", teacher)
    with pytest.raises(Stop):
        run(recipe(task, teacher, method), data, tmp_path / "cut", teacher, StopAfter(1))
    seen: list[int] = []

    class Listen(TrainingCallback):
        def on_evaluation(self, evaluation: Evaluation) -> None:
            seen.append(evaluation.epoch)

    again = run(recipe(task, teacher, method), data, tmp_path / "cut", teacher, Listen())
    assert seen == [1, 2, 3]
    assert [entry.value for entry in again.history] == [entry.value for entry in whole.history]
    assert_same(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("spoilt", [1, 2], ids=["the last", "both"])
def test_a_damaged_checkpoint_costs_an_epoch_and_no_figure(
    tmp_path: Path, task: TaskSpec, data: Prepared, teacher: Any, spoilt: int
) -> None:
    whole = run(recipe(task, teacher, "none"), data, tmp_path / "whole", teacher)
    with pytest.raises(Stop):
        run(recipe(task, teacher, "none"), data, tmp_path / "cut", teacher, StopAfter(2))
    for name in ("checkpoint.pth", "checkpoint.previous.pth")[:spoilt]:
        file = tmp_path / "cut" / name
        file.write_bytes(file.read_bytes()[:5000])
    notes: list[str] = []

    class Listen(TrainingCallback):
        def on_note(self, text: str) -> None:
            notes.append(text)

    again = run(recipe(task, teacher, "none"), data, tmp_path / "cut", teacher, Listen())
    assert len(notes) == spoilt
    assert notes[0].endswith("goes on after epoch 1" if spoilt == 1 else "begins again")
    assert [entry.value for entry in again.history] == [entry.value for entry in whole.history]
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_a_recipe_trained_second_equals_the_same_recipe_trained_first(
    tmp_path: Path, task: TaskSpec, data: Prepared, teacher: Any
) -> None:
    run(recipe(task, teacher), data, tmp_path / "first", teacher)
    run(recipe(task, teacher, "none", lr=0.01, grad_clip=None), data, tmp_path / "between", teacher)
    run(recipe(task, teacher), data, tmp_path / "second", teacher)
    assert_same(tmp_path / "first", tmp_path / "second")


def test_the_checkpoint_holds_no_teacher_and_the_export_loads_in_mmdet(
    tmp_path: Path, task: TaskSpec, data: Prepared, teacher: Any
) -> None:
    run(recipe(task, teacher), data, tmp_path, teacher)
    content = torch.load(tmp_path / "checkpoint.pth", weights_only=True)
    assert not [key for key in (*content["state_dict"], *content["method"]) if "teacher" in key]
    from mmcv import Config
    from mmcv.runner import load_checkpoint
    from mmdet.datasets import build_dataset
    from mmdet.models import build_detector

    cfg = Config.fromfile(str(tmp_path / "mmdet_config.py"))
    model = build_detector(cfg.model)
    load_checkpoint(model, str(tmp_path / "student.pth"), map_location="cpu", strict=True)
    for split in (cfg.data.train, cfg.data.val, cfg.data.test):
        assert len(build_dataset(split)) > 0


def test_an_apostrophe_in_the_folder_of_the_data(tmp_path: Path, task: TaskSpec, teacher: Any) -> None:
    data = prepare(task.dataset, tmp_path / "Anna's data", None)
    run(recipe(task, teacher, "none"), data, tmp_path, teacher)
    from mmcv import Config
    from mmdet.datasets import build_dataset

    train_part = Config.fromfile(str(tmp_path / "mmdet_config.py")).data.train
    assert "Anna's data" in train_part.ann_file
    assert len(build_dataset(train_part)) == 24


def test_a_loss_that_is_no_number_is_infeasible_and_says_why(
    tmp_path: Path, task: TaskSpec, data: Prepared, teacher: Any
) -> None:
    outcome = run(recipe(task, teacher, "none", lr=1e12, grad_clip=None), data, tmp_path, teacher)
    assert outcome.end == "infeasible"
    assert outcome.reason is not None
    assert "iteration" in outcome.reason
    assert "learning rate" in outcome.reason


def test_a_dead_run_is_infeasible_at_its_first_evaluation(
    tmp_path: Path, task: TaskSpec, data: Prepared, teacher: Any
) -> None:
    dead = recipe(task, teacher, "none").model_copy(update={"floor": 0.99})
    outcome = run(dead, data, tmp_path, teacher)
    assert outcome.end == "infeasible"
    assert len(outcome.history) == 1
    assert outcome.reason is not None
    assert "floor of 0.99" in outcome.reason


@pytest.mark.parametrize("norm", ["BN", "SyncBN"])
def test_two_processes_train_and_resume(
    tmp_path: Path, task: TaskSpec, data: Prepared, teacher: Any, norm: str
) -> None:
    two = recipe(task, teacher, gpus=2, samples_per_gpu=4, norm=norm)
    whole = run(two, data, tmp_path / "whole", teacher)
    assert whole.end == "completed"
    with pytest.raises(Stop):
        run(two, data, tmp_path / "cut", teacher, StopAfter(2))
    run(two, data, tmp_path / "cut", teacher)
    assert_same(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model.backbone.base_channels": 32, "model.backbone.stem_channels": 32}, "architecture|shape"),
        ({"model.backbone.depth": 34}, "architecture|missing"),
    ],
)
def test_a_teacher_of_another_architecture_is_refused(
    storage: Path, task: TaskSpec, data: Prepared, change: dict[str, Any], words: str
) -> None:
    from kdbench.detectors import configs, models, teachers, weights

    cfg = configs.load_model_config(task.student.config, {**task.student.set})
    configs.set_num_classes(cfg, len(data.classes))
    configs.drop_pretrained(cfg)
    path = storage / "student-as-teacher.pth"
    weights.export_student(models.build(cfg.model, seed=3), path, {"CLASSES": list(data.classes)})
    with pytest.raises(InputError, match=words) as error:
        teachers.given_teacher(storage, task, str(path), tuple(data.classes))
    assert "\n" not in str(error.value)
    other = tuple(f"other{index}" for index in range(len(data.classes)))
    with pytest.raises(InputError, match="class"):
        teachers.given_teacher(storage, task, str(path), other)
