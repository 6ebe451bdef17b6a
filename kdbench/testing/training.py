"""Training a small distiller for a few steps, for tests."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from kdbench.data import batches
from kdbench.detectors import taps as tapping
from kdbench.methods.base import DetectorInfo, Method, Progress
from kdbench.testing import detectors
from kdbench.training.distiller import Distiller
from kdbench.training.labels import labels_of


def method_class(method: str | type[Method]) -> type[Method]:
    """The class behind a registered name, or the class itself."""
    if isinstance(method, str):
        from kdbench.methods import registry

        return registry.get(method)
    return method


def build_method(
    method: str | type[Method], params: dict[str, Any], student: DetectorInfo, teacher: DetectorInfo | None
) -> Method:
    """A method with parameters; its adapters are the same each time."""
    cls = method_class(method)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return cls(cls.Params.parse(params, f"params of {cls.name}"), student, teacher if cls.needs_teacher else None)


def build_distiller(
    method: str | type[Method],
    params: dict[str, Any],
    family: detectors.Family,
    *,
    equal_channels: bool = False,
    autocast_dtype: torch.dtype | None = None,
) -> Distiller:
    """A ResNet-18 student of base width 16, and a teacher of another width unless `equal_channels`."""
    student, student_info = detectors.detector(family)
    width, channels = (16, 32) if equal_channels else (24, 48)
    teacher, teacher_info = detectors.detector(family, width, channels, seed=1)
    built = build_method(method, params, student_info, teacher_info)
    taught_by = teacher if built.needs_teacher else None
    distiller = Distiller(student, built, taught_by, autocast_dtype=autocast_dtype, seed=3)
    distiller.train()
    return distiller


def terms_on_identical_features(distiller: Distiller, data: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The method's terms where the teacher's features are the student's own."""
    taps = distiller.method.taps()
    opened = batches.to_device(copy.deepcopy(data), torch.device("cpu"))
    with tapping.capture(distiller.student, taps, loss_pass=taps.assigned) as caught, torch.no_grad():
        distiller.student(return_loss=True, **opened)
    batch = labels_of(opened, masks=taps.masks)
    batch.assigned = tapping.assigned(caught.targets) if taps.assigned else []
    with torch.no_grad():
        return dict(distiller.method(caught.features, caught.features, batch, Progress(0, 1, 0, 1)))


def terms_gradient(model: nn.Module, distiller: Distiller, data: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The gradient of the method's terms alone, by parameter, with the student's statistics frozen.

    `model` is the distiller or what wraps it. The detector's own losses are counted 0 times, so that every parameter
    takes part.
    """
    distiller.student.eval()
    for module in distiller.student.modules():
        module.training = not isinstance(module, nn.modules.batchnorm._BatchNorm)
    model.zero_grad()
    names = own_names(distiller, data)
    losses = {name: _sum(value) for name, value in model(copy.deepcopy(data)).items() if "loss" in name}
    sum(value * (0 if name in names else 1) for name, value in losses.items()).backward()  # type: ignore[union-attr]
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in distiller.named_parameters()}


def own_names(distiller: Distiller, data: dict[str, Any]) -> set[str]:
    """Names of the losses that are the detector's own."""
    with torch.no_grad(), torch.random.fork_rng():
        opened = batches.to_device(copy.deepcopy(data), torch.device("cpu"))
        return set(distiller.student(return_loss=True, **opened))


def _sum(value: Any) -> Any:
    return sum(part.mean() for part in value) if isinstance(value, (list, tuple)) else value.mean()


class Plain(nn.Module):
    """Training without a distiller: mmdet's own `train_step`."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student.train()

    def train_step(self, data: dict[str, Any], optimizer: Any = None) -> Any:
        return self.student.train_step(batches.to_device(data, torch.device("cpu")), optimizer)  # type: ignore[operator]


def train(model: nn.Module, data: list[dict[str, Any]], optimizer: str, seed: int = 11) -> list[dict[str, float]]:
    """Steps with gradient clipping, as mmcv's runner makes them; the log of each."""
    torch.manual_seed(seed)
    made: Any = {
        "SGD": lambda: torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4),
        "AdamW": lambda: torch.optim.AdamW(model.parameters(), lr=1e-3),
    }[optimizer]()
    logs = []
    for batch in data:
        step = model.train_step(copy.deepcopy(batch), made)  # type: ignore[operator]
        made.zero_grad()
        step["loss"].backward()
        nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 1.0)
        made.step()
        logs.append(dict(step["log_vars"]))
    return logs


def check_close(actual: torch.Tensor, expected: torch.Tensor, what: str, rtol: float, atol: float) -> None:
    """Raises AssertionError, with `what` in front, where they differ by more than atol + rtol * |expected|."""
    try:
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from None


def first_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> str | None:
    """The first name at which two states are not equal bit for bit."""
    if list(one) != list(other):
        return f"names: {sorted(set(one) ^ set(other))[:5]}"
    return next((name for name in one if not torch.equal(one[name], other[name])), None)
