"""Optimizers of a training: the student's, those that a method has for its own modules, and the step over all of them."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmcv.runner import OPTIMIZERS, OptimizerHook, build_optimizer
from torch import nn

from kdbench.methods.base import Method, OwnOptimizer, Progress
from kdbench.training.distiller import Distiller


class Optimizers:
    """The main optimizer trains the student and what of the method is nobody else's; `own` are the method's.

    Args:
        cfg: mmcv's configuration of the main optimizer.

    Example:
        >>> optimizers = Optimizers(distiller, {"type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4})
        >>> optimizers.own
        []
    """

    def __init__(self, distiller: Distiller, cfg: dict[str, Any]) -> None:
        self.own = [_Own(spec, distiller.method, cfg) for spec in distiller.method.own_optimizers()]
        taken = {id(parameter) for own in self.own for parameter in own.parameters}
        self.main_parameters = [p for p in distiller.parameters() if id(p) not in taken]
        if taken and "paramwise_cfg" not in cfg:
            self.main = OPTIMIZERS.build({**cfg, "params": self.main_parameters})
        else:
            self.main = build_optimizer(distiller, dict(cfg))
            for group in self.main.param_groups:
                group["params"] = [p for p in group["params"] if id(p) not in taken]
            self.main.param_groups = [group for group in self.main.param_groups if group["params"]]
        # The first group may have a rate of its own (paramwise): how far it has come is what counts.
        self.first_lr = float(self.main.param_groups[0]["lr"])

    def set_rates(self, progress: Progress) -> None:
        """The learning rates of the method's optimizers; the main one's are mmcv's hook's."""
        factor = self.main.param_groups[0]["lr"] / self.first_lr
        for own in self.own:
            for group in own.optimizer.param_groups:
                cosine = 0.5 * (1 + math.cos(math.pi * progress.fraction))
                group["lr"] = own.lr * (factor if own.spec.policy == "task" else cosine)

    @property
    def all(self) -> list[torch.optim.Optimizer]:
        return [self.main, *(own.optimizer for own in self.own)]

    def state_dict(self) -> list[dict[str, Any]]:
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for optimizer, state in zip(self.all, states, strict=True):
            optimizer.load_state_dict(state)


class _Own:
    def __init__(self, spec: OwnOptimizer, method: Method, cfg: dict[str, Any]) -> None:
        self.spec = spec
        self.parameters = [p for name in spec.modules for p in method.get_submodule(name).parameters()]
        kind = spec.kind or cfg["type"]
        self.lr = float(cfg["lr"] if spec.lr is None else spec.lr)
        decay = cfg["weight_decay"] if spec.weight_decay is None else spec.weight_decay
        made: dict[str, Any] = {"type": kind, "lr": self.lr, "weight_decay": decay, "params": self.parameters}
        if kind == "SGD":
            made["momentum"] = cfg.get("momentum", 0.9)
        self.optimizer: torch.optim.Optimizer = OPTIMIZERS.build(made)

    def clip(self) -> None:
        got = [p for p in self.parameters if p.grad is not None]
        if self.spec.clip_value is not None:
            nn.utils.clip_grad_value_(got, self.spec.clip_value)
        if self.spec.clip_norm is not None:
            nn.utils.clip_grad_norm_(got, self.spec.clip_norm)


class StepHook(OptimizerHook):
    """mmcv's step for all optimizers of a training: backward, the method's gradient rules, clipping, update.

    Args:
        max_norm: maximal L2 norm of the gradient of what the main optimizer trains; None is none.
        fp16: scale the loss dynamically, as mmcv's Fp16OptimizerHook does.
    """

    def __init__(self, distiller: Distiller, optimizers: Optimizers, max_norm: float | None, fp16: bool) -> None:
        super().__init__(grad_clip={"max_norm": max_norm, "norm_type": 2} if max_norm else None)
        self.distiller, self.optimizers = distiller, optimizers
        self.scaler = torch.amp.GradScaler("cuda", enabled=fp16)

    def before_train_iter(self, runner: Any) -> None:
        self.optimizers.set_rates(self._progress(runner))

    def after_train_iter(self, runner: Any) -> None:
        for optimizer in self.optimizers.all:
            optimizer.zero_grad()
        self.scaler.scale(runner.outputs["loss"]).backward()
        for optimizer in self.optimizers.all:
            self.scaler.unscale_(optimizer)
        self._follow_rules()
        if self.grad_clip is not None:
            self.clip_grads(self.optimizers.main_parameters)
        for own in self.optimizers.own:
            own.clip()
        for optimizer in self.optimizers.all:
            self.scaler.step(optimizer)
        self.scaler.update()

    def _follow_rules(self) -> None:
        rules = self.distiller.method.gradient_rules(self.distiller.progress)
        if rules.freeze_backbone:
            # The graph, and so what DistributedDataParallel waits for, stays the same in every step.
            for parameter in self.distiller.student.backbone.parameters():  # type: ignore[union-attr]
                parameter.grad = None
        if rules.clip_value is not None:
            got = [p for p in self.optimizers.main_parameters if p.grad is not None]
            nn.utils.clip_grad_value_(got, rules.clip_value)

    def _progress(self, runner: Any) -> Progress:
        return Progress(runner.epoch, runner.max_epochs, runner.iter, runner.max_iters)
