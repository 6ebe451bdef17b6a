"""The focal losses through mmcv.ops, against autograd of the plain formulas."""

from __future__ import annotations

import pytest
import torch
from mmcv.ops import SigmoidFocalLoss, sigmoid_focal_loss, softmax_focal_loss
from torch import Tensor

N, C = 7, 4


def example(generator: torch.Generator, device: torch.device, background: bool) -> tuple[Tensor, Tensor, Tensor]:
    logits = torch.randn(N, C, generator=generator, dtype=torch.float64) * 3
    target = torch.randint(0, C + background, (N,), generator=generator)
    target[0] = C if background else 0
    weight = torch.rand(C, generator=generator, dtype=torch.float64) + 0.5
    return logits.to(device), target.to(device), weight.to(device)


def plain_sigmoid(logits: Tensor, target: Tensor, gamma: float, alpha: float, weight: Tensor | None) -> Tensor:
    positive = torch.nn.functional.one_hot(target, C + 1)[:, :C].to(logits)
    p = logits.sigmoid()
    loss = -alpha * positive * (1 - p) ** gamma * p.log() - (1 - alpha) * (1 - positive) * p**gamma * (1 - p).log()
    # A background row has no class to take a weight from.
    return loss if weight is None else loss * torch.cat([weight, weight.new_ones(1)])[target][:, None]


def plain_softmax(logits: Tensor, target: Tensor, gamma: float, alpha: float, weight: Tensor | None) -> Tensor:
    p = logits.softmax(dim=1)[torch.arange(N), target.clamp(min=0)]
    loss = -alpha * (1 - p) ** gamma * p.log() * (target >= 0)
    return loss if weight is None else loss * weight[target.clamp(min=0)]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.5, 0.7), (0.0, 0.5)])
def test_sigmoid(
    device: torch.device, generator: torch.Generator, gamma: float, alpha: float, weighted: bool, reduction: str
) -> None:
    logits, target, weight = example(generator, device, background=True)
    ours, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    used = weight if weighted else None
    loss = sigmoid_focal_loss(ours, target, gamma, alpha, used, reduction)
    expected = plain_sigmoid(plain, target, gamma, alpha, used)
    if reduction != "none":
        expected = expected.sum() / (N if reduction == "mean" else 1)
    torch.testing.assert_close(loss, expected)
    grad = torch.rand(loss.shape, generator=generator, dtype=loss.dtype).to(device)
    loss.backward(grad)
    expected.backward(grad)
    torch.testing.assert_close(ours.grad, plain.grad)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.5, 0.7), (0.0, 1.0)])
def test_softmax(
    device: torch.device, generator: torch.Generator, gamma: float, alpha: float, weighted: bool, reduction: str
) -> None:
    logits, target, weight = example(generator, device, background=False)
    target[1] = -1  # to be ignored
    ours, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    used = weight if weighted else None
    loss = softmax_focal_loss(ours, target, gamma, alpha, used, reduction)
    expected = plain_softmax(plain, target, gamma, alpha, used).sum() / (N if reduction == "mean" else 1)
    torch.testing.assert_close(loss, expected)
    (loss * 1.7).backward()
    (expected * 1.7).backward()
    torch.testing.assert_close(ours.grad, plain.grad)


def test_gradcheck(device: torch.device, generator: torch.Generator) -> None:
    logits, target, weight = example(generator, device, background=False)
    logits.requires_grad_()
    for loss in (sigmoid_focal_loss, softmax_focal_loss):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, target, 1.5, 0.3, weight, "sum"), (logits,))


@pytest.mark.parametrize("loss", [sigmoid_focal_loss, softmax_focal_loss])
def test_far_logits_stay_finite(device: torch.device, loss: type) -> None:
    logits = torch.tensor([[60.0, -60.0], [-60.0, 60.0], [0.0, 0.0]], device=device, requires_grad=True)
    value = loss(logits, torch.zeros(3, dtype=torch.long, device=device), 2.0, 0.25, None, "sum")
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    if loss is sigmoid_focal_loss:
        # Class 0 of row 1 is missed by 60, class 1 of row 1 claimed by 60; the rest is nearly right.
        torch.testing.assert_close(value.item(), 60 * (0.25 + 0.75) + 0.25 * 0.6931472, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half(device: torch.device, generator: torch.Generator, dtype: torch.dtype) -> None:
    logits, target, _ = example(generator, device, background=True)
    half = logits.to(dtype).requires_grad_()
    loss = SigmoidFocalLoss(2.0, 0.25, reduction="none").to(device)(half, target)
    loss.sum().backward()
    assert loss.dtype == half.grad.dtype == dtype
    expected = plain_sigmoid(half.detach().double(), target, 2.0, 0.25, None)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-2, atol=1e-3)
