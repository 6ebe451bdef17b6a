"""Optimizers that a method has for its own modules, and what it may do to the student's gradient."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kdbench.methods.base import GradientRules, Method, MethodParams, OwnOptimizer, Progress, Taps
from kdbench.testing import detectors, training
from kdbench.training.distiller import Distiller
from kdbench.training.optimizers import Optimizers, StepHook

SGD = {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 1e-4}


class Helper(Method):
    """A branch with an optimizer of its own beside an adapter that the student's trains."""

    name = "helper"
    weights = ()
    needs_teacher = False
    rules = GradientRules()
    own: OwnOptimizer = OwnOptimizer(modules=("branch",))

    class Params(MethodParams):
        pass

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.branch, self.adapter = nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 1)

    def taps(self) -> Taps:
        return Taps(neck=True)

    def own_optimizers(self) -> tuple[OwnOptimizer, ...]:
        return (self.own,)

    def gradient_rules(self, progress: Progress) -> GradientRules:
        return self.rules

    def forward(self, student: Any, teacher: Any, batch: Any, progress: Progress) -> dict[str, torch.Tensor]:
        level = student.neck[0]
        return {"loss_helper": 100 * F.mse_loss(self.branch(level), self.adapter(level))}


def built(**attributes: Any) -> tuple[Distiller, Any]:
    student, info = detectors.detector("one_stage")
    torch.manual_seed(1)
    method = Helper(Helper.Params(), info, None)
    for name, value in attributes.items():
        setattr(method, name, value)
    distiller = Distiller(student, method, None)
    distiller.train()
    return distiller, method


def step(distiller: Distiller, optimizers: Optimizers, max_norm: float | None = None, iteration: int = 0) -> None:
    progress = Progress(0, 1, iteration, 10)
    distiller.set_progress(progress)
    hook = StepHook(distiller, optimizers, max_norm, fp16=False)
    runner = SimpleNamespace(epoch=0, max_epochs=1, iter=iteration, max_iters=10, log_buffer=None)
    hook.before_train_iter(runner)
    runner.outputs = distiller.train_step(detectors.batch(seed=iteration))
    hook.after_train_iter(runner)


def test_every_parameter_has_one_optimizer() -> None:
    distiller, method = built()
    optimizers = Optimizers(distiller, SGD)
    main = {id(p) for group in optimizers.main.param_groups for p in group["params"]}
    own = {id(p) for group in optimizers.own[0].optimizer.param_groups for p in group["params"]}
    assert own == {id(p) for p in method.branch.parameters()}
    assert not main & own
    assert main | own == {id(p) for p in distiller.parameters()}
    assert type(optimizers.own[0].optimizer) is torch.optim.SGD
    assert optimizers.own[0].optimizer.param_groups[0]["weight_decay"] == 1e-4


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (OwnOptimizer(("branch",)), 0.005),
        (OwnOptimizer(("branch",), lr=0.1), 0.025),
        (OwnOptimizer(("branch",), "AdamW", 1e-3, 0.1, "cosine"), 1e-3 * 0.5 * (1 + math.cos(0.4 * math.pi))),
    ],
)
def test_learning_rates(own: OwnOptimizer, expected: float) -> None:
    distiller, _ = built(own=own)
    optimizers = Optimizers(distiller, SGD)
    optimizers.main.param_groups[0]["lr"] = 0.005  # as mmcv's hook would have it: a quarter of the task's
    optimizers.set_rates(Progress(0, 1, 4, 10))
    assert optimizers.own[0].optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_a_frozen_backbone_stays_and_the_rest_learns() -> None:
    distiller, _ = built(rules=GradientRules(freeze_backbone=True))
    before = {name: value.detach().clone() for name, value in distiller.named_parameters()}
    step(distiller, Optimizers(distiller, SGD))
    moved = {name for name, value in distiller.named_parameters() if not torch.equal(before[name], value)}
    assert not [name for name in moved if name.startswith("student.backbone")]
    assert {"student.neck.lateral_convs.0.conv.weight", "method.branch.weight", "method.adapter.weight"} <= moved


def test_clipping_by_value_and_by_norm() -> None:
    distiller, method = built(rules=GradientRules(clip_value=1e-3), own=OwnOptimizer(("branch",), clip_norm=1e-2))
    step(distiller, Optimizers(distiller, SGD))
    main = [p.grad for p in distiller.student.parameters() if p.grad is not None]
    assert max(float(grad.abs().max()) for grad in main) == pytest.approx(1e-3)
    own = torch.cat([p.grad.flatten() for p in method.branch.parameters()])
    assert float(own.norm()) == pytest.approx(1e-2, rel=1e-3)


def test_the_recipes_norm_leaves_a_methods_own_modules_alone() -> None:
    distiller, method = built()
    step(distiller, Optimizers(distiller, SGD), max_norm=1e-3)
    main = torch.cat([p.grad.flatten() for p in distiller.student.parameters() if p.grad is not None])
    assert float(main.norm()) <= 1.001e-3
    own = torch.cat([p.grad.flatten() for p in method.branch.parameters()])
    assert float(own.norm()) > 1e-2


@pytest.mark.parametrize("own", [OwnOptimizer(("branch",)), OwnOptimizer(("branch",), "AdamW", 1e-3, 0.0, "cosine")])
def test_state_round_trip(own: OwnOptimizer) -> None:
    one, _ = built(own=own)
    first = Optimizers(one, SGD)
    step(one, first)
    other, _ = built(own=own)
    second = Optimizers(other, SGD)
    other.load_state_dict(one.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))  # as from a file: torch would share the tensors
    for distiller, optimizers in ((one, first), (other, second)):
        torch.manual_seed(3)
        step(distiller, optimizers, iteration=1)
    assert training.first_difference(one.state_dict(), other.state_dict()) is None


def test_parameters_have_the_rates_that_the_schedule_gives_them() -> None:
    """mmcv's paramwise_cfg reaches the student through the distiller, and a method's own modules stay out of it."""
    distiller, method = built()
    cfg = {**SGD, "paramwise_cfg": {"custom_keys": {"neck": {"lr_mult": 0.1}}, "norm_decay_mult": 0.0}}
    optimizers = Optimizers(distiller, cfg)
    names = {id(parameter): name for name, parameter in distiller.named_parameters()}
    groups = {names[id(p)]: group for group in optimizers.main.param_groups for p in group["params"]}
    assert groups.keys() == {name for name in names.values() if not name.startswith("method.branch")}
    assert groups["student.backbone.conv1.weight"]["lr"] == pytest.approx(0.02)
    assert groups["student.neck.lateral_convs.0.conv.weight"]["lr"] == pytest.approx(0.002)
    assert groups["student.backbone.bn1.weight"]["weight_decay"] == 0.0
    for group in optimizers.main.param_groups:
        group["lr"] *= 0.25  # as mmcv's hook does
    optimizers.set_rates(Progress(0, 1, 4, 10))
    assert optimizers.own[0].optimizer.param_groups[0]["lr"] == pytest.approx(0.005)
    assert method is distiller.method
