"""What a training says that it cost: nothing is lost when it is interrupted, and counting it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench.data import Prepared, prepare
from kdbench.methods import registry
from kdbench.specs.recipe import Recipe, task_recipe
from kdbench.specs.task import load_task
from kdbench.training import spending
from kdbench.training.callbacks import Evaluation, TrainingCallback
from kdbench.training.job import Job
from kdbench.training.train import train
from tests.integration.stopping import Stop, StopAfter

COSTS = {"cost/device_hours", "cost/peak_memory_gb", "cost/params_m", "cost/gflops", "sec_per_iter"}


@pytest.fixture(scope="module")
def data(tiny_task: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(load_task(str(tiny_task)).dataset, tmp_path_factory.mktemp("storage"), None)


def recipe(tiny_task: Path, method: str) -> Recipe:
    params: dict[str, Any] = {} if method == "none" else registry.get(method).Params().plain()
    return task_recipe(load_task(str(tiny_task)), method, params, {}, None, 0)


def job(recipe: Recipe, data: Prepared, folder: Path) -> Job:
    return Job(recipe, data, folder, device="cpu", threads=1)


def test_no_cost_is_reset_by_a_resume(tmp_path: Path, tiny_task: Path, data: Prepared) -> None:
    plain = recipe(tiny_task, "none")
    whole = train(job(plain, data, tmp_path / "whole"))
    assert whole.summary.keys() >= COSTS
    # The student of `shapes` on 64x64: a real figure, of a network that is far smaller than a full one.
    assert 0.01 < whole.summary["cost/gflops"] < 5
    with pytest.raises(Stop):
        train(job(plain, data, tmp_path / "cut"), StopAfter(2))
    # As if the first two epochs had taken two hours and 64 GiB on another machine.
    path = tmp_path / "cut" / "checkpoint.pth"
    content = torch.load(path, weights_only=True)
    own = content["seconds"]
    content["seconds"] += 7200.0
    content["peak_bytes"] = 64 * 2**30
    for entry in content["history"]:
        entry["metrics"]["sec_per_iter"] = 5.0
    torch.save(content, path)
    seen: dict[int, Evaluation] = {}

    class Listen(TrainingCallback):
        def on_evaluation(self, evaluation: Evaluation) -> None:
            seen[evaluation.epoch] = evaluation

    again = train(job(plain, data, tmp_path / "cut"), Listen())
    assert 0 < own < 600
    assert 2.0 + own / 3600 < again.summary["cost/device_hours"] < 2.0 + (own + 600) / 3600
    assert seen[3].metrics["cost/device_hours"] > 2.0 + own / 3600
    assert again.summary["cost/peak_memory_gb"] == 64
    third = seen[3].metrics["sec_per_iter"]
    assert again.summary["sec_per_iter"] == pytest.approx((5.0 + 5.0 + third) / 3)
    for constant in ("cost/params_m", "cost/gflops", "best/mAP"):
        assert again.summary[constant] == whole.summary[constant], constant


def test_a_run_that_only_lacked_its_end_keeps_its_costs(tmp_path: Path, tiny_task: Path, data: Prepared) -> None:
    """Killed between the last evaluation and the end: nothing is left to train, and nothing is forgotten."""
    plain = recipe(tiny_task, "none")
    with pytest.raises(Stop):
        train(job(plain, data, tmp_path), StopAfter(3))
    content = torch.load(tmp_path / "checkpoint.pth", weights_only=True)
    again = train(job(plain, data, tmp_path))
    assert again.end == "completed"
    assert again.summary["cost/device_hours"] >= content["seconds"] / 3600
    assert again.summary["cost/peak_memory_gb"] >= content["peak_bytes"] / 2**30
    assert again.summary.keys() >= COSTS


def test_a_kill_between_two_checkpoints_is_paid_for(
    tmp_path: Path, tiny_task: Path, data: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epoch is killed before its checkpoint: trained again from the start, and its time counts."""

    class Kill(TrainingCallback):
        def on_iteration(self, iteration: int, max_iterations: int, terms: dict[str, float]) -> None:
            if iteration == 2:
                raise Stop

    monkeypatch.setattr(spending, "INTERVAL", 0.0)
    plain = recipe(tiny_task, "none")
    with pytest.raises(Stop):
        train(job(plain, data, tmp_path), Kill())
    assert not (tmp_path / "checkpoint.pth").exists()
    account = spending.Spending(tmp_path, plain.hash)
    seconds, peak_bytes = account.read()
    assert seconds > 0
    assert peak_bytes > 2**20
    account.note(seconds + 7200, 64 * 2**30)
    again = train(job(plain, data, tmp_path))
    assert 2.0 + seconds / 3600 < again.summary["cost/device_hours"] < 2.0 + (seconds + 600) / 3600
    assert again.summary["cost/peak_memory_gb"] == 64
    assert again.summary["sec_per_iter"] < 60
    assert not account.path.exists()  # complete: the summary has it


def test_counting_operations_leaves_the_training_as_it_is(
    tmp_path: Path, tiny_task: Path, data: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LGD draws at random beside the student, so that a stream that had moved would show."""
    lgd = recipe(tiny_task, "lgd")
    counted = train(job(lgd, data, tmp_path / "counted"))
    monkeypatch.setattr("kdbench.training.trainer.gflops", lambda *_: None)
    plain = train(job(lgd, data, tmp_path / "plain"))
    assert "cost/gflops" in counted.summary
    assert "cost/gflops" not in plain.summary
    states = [torch.load(tmp_path / name / "checkpoint.pth", weights_only=True) for name in ("counted", "plain")]
    for part in ("state_dict", "method"):
        assert states[0][part].keys() == states[1][part].keys()
        assert all(torch.equal(value, states[1][part][name]) for name, value in states[0][part].items())
