"""Focal losses: easy examples weigh less, in the sigmoid and in the softmax form.

Reference:
    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kdbench.ops.precision import working_dtype

TINY = torch.finfo(torch.float32).tiny


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """One binary focal loss a class, into `output`.

    Formula:
        q = p for the target's class, 1 - p for the others, p = sigmoid(input); loss = -a (1 - q)^gamma log q
        with a = alpha for the target's class, 1 - alpha for the others; times weight[target].

    Shapes:
        input, output: (N, C); target: (N) in 0..C, where C means background; weight: (C) or empty.

    Differs from the compiled operator:
        log q is computed from the logit, exact where that one cuts log(q) off at -87; a weight does not apply to
        background, for which the compiled operator reads outside its memory.
    """
    sign, scale = _sides(input, target, weight, alpha)
    truth = sign * input.to(scale.dtype)
    output.copy_(-scale * torch.sigmoid(-truth).pow(gamma) * F.logsigmoid(truth))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, *, gamma: float, alpha: float
) -> None:
    """d loss / d input of `sigmoid_focal_loss_forward`, into `grad_input` (N, C).

    Formula:
        +-a (1 - q)^gamma (gamma q log q - (1 - q)), + for the target's class.
    """
    sign, scale = _sides(input, target, weight, alpha)
    truth = sign * input.to(scale.dtype)
    wrong = torch.sigmoid(-truth)
    slope = gamma * torch.sigmoid(truth) * F.logsigmoid(truth) - wrong
    grad_input.copy_(sign * scale * wrong.pow(gamma) * slope)


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """The focal loss of the target's probability, into `output`.

    Formula:
        loss = -alpha (1 - p)^gamma log p, p = softmax[target]; times weight[target]; 0 where target < 0.

    Shapes:
        softmax: (N, C), probabilities; target: (N); weight: (C) or empty; output: (N).
    """
    probability, scale = _probability(softmax, target, weight, alpha)
    output.copy_(-scale * (1 - probability).pow(gamma) * probability.clamp(min=TINY).log())


def softmax_focal_loss_backward(
    softmax: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor, *, gamma: float, alpha: float
) -> None:
    """d loss / d logits of `softmax_focal_loss_forward`, into `grad_input` (N, C), with p d loss / d p in `buff` (N).

    Formula:
        b = alpha (gamma (1 - p)^(gamma - 1) p log p - (1 - p)^gamma); grad_c = b ([c = target] - softmax_c).
    """
    probability, scale = _probability(softmax, target, weight, alpha)
    wrong = 1 - probability
    log = probability.clamp(min=TINY).log()
    factor = scale * (gamma * wrong.clamp(min=TINY).pow(gamma - 1) * probability * log - wrong.pow(gamma))
    classes = torch.arange(softmax.shape[1], device=softmax.device)
    is_target = (target[:, None] == classes).to(factor.dtype)
    buff.copy_(factor)
    grad_input.copy_(factor[:, None] * (is_target - softmax.to(factor.dtype)))


def _sides(input: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """+1 for the target's class and -1 for the others, and the factor before each loss, both (N, C)."""
    dtype = working_dtype(input)
    classes = torch.arange(input.shape[1], device=input.device)
    positive = target[:, None] == classes
    sign = positive.to(dtype) * 2 - 1
    scale = torch.where(positive, alpha, 1 - alpha).to(dtype)
    if weight.numel():
        scale = scale * _class_weight(target, weight.to(dtype))[:, None]
    return sign, scale


def _probability(softmax: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """The target's probability, and the factor before the loss (0 for a target to ignore), both (N)."""
    dtype = working_dtype(softmax)
    probability = softmax.to(dtype).gather(1, target.clamp(min=0)[:, None])[:, 0]
    scale = (target >= 0).to(dtype) * alpha
    if weight.numel():
        scale = scale * _class_weight(target, weight.to(dtype))
    return probability, scale


def _class_weight(target: Tensor, weight: Tensor) -> Tensor:
    known = (target >= 0) & (target < len(weight))
    return torch.where(known, weight[target.clamp(0, len(weight) - 1)], 1)
