"""FGD: masks, attentions, the four terms, the loss and its gradients, with the file's context blocks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, Check, boxes_of, close, gradient, leftovers, tensor, untouched
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Progress
from kdbench.methods.fgd.method import TERMS, attention

KNOWN = (
    r"out_(loss|fg|bg|attention|relation)",
    r"out_(fg|bg)weights",
    r"out_(spatial|channel)_att_(student|teacher)",
    r"grad_student",
    r"grad_(conv_mask|channel_add_conv)_[st](_\d)?(_weight|_bias)?",
    r"grad_align(_weight|_bias)?",
)
BLOCKS = {"s": "student_context", "t": "teacher_context"}


def cases(arrays: Arrays) -> list[Check]:
    if "in_student" not in arrays or "hp_alpha" not in arrays:
        return []
    checks = [Check("terms", partial(terms, arrays)), Check("loss_and_gradients", partial(loss, arrays))]
    if "out_fgweights" in arrays or "out_bgweights" in arrays:
        checks.append(Check("masks", partial(masks, arrays)))
    if any(key.startswith(("out_spatial_att_", "out_channel_att_")) for key in arrays):
        checks.append(Check("attentions", partial(attentions, arrays)))
    return checks + leftovers(arrays, KNOWN)


def built(arrays: Arrays, *, every_term: bool = False) -> Any:
    """FGD with the file's weights and layers.

    Args:
        every_term: also the terms whose weight is 0, which the method leaves out, with the weight alpha.
    """
    student, teacher = arrays["in_student"], arrays["in_teacher"]
    alpha = float(arrays["hp_alpha"])
    ratios = {f"{term}_ratio": float(arrays[f"hp_{term}"]) / alpha for term in ("beta", "gamma", "lambda")}
    if every_term:
        buildable = {name for name in ratios if name != "lambda_ratio" or "par_conv_mask_s_weight" in arrays}
        ratios = {name: ratio or float(name in buildable) for name, ratio in ratios.items()}
    stride = int(arrays["in_pad_hw"][0]) // teacher.shape[2]
    infos = [DetectorInfo("one_stage", 3, (maps.shape[1],), (stride,), (1,) * 4) for maps in (student, teacher)]
    values = {"alpha": alpha, **ratios, "temperature": float(arrays["hp_temp"]), "levels": [0]}
    method: Any = registry.build("fgd", values, *infos)
    for letter, name in BLOCKS.items():
        if ratios["lambda_ratio"]:
            block = getattr(method, name)[0]
            block.load_state_dict({key: tensor(arrays[of]).float() for key, of in block_keys(letter).items()})
    if "par_align_weight" in arrays:
        parts = {part: tensor(arrays[f"par_align_{part}"]).float() for part in ("weight", "bias")}
        method.aligners[0].load_state_dict(parts)
    return method


def block_keys(letter: str) -> dict[str, str]:
    """Name in our block -> array of the file."""
    keys = {f"mask.{part}": f"par_conv_mask_{letter}_{part}" for part in ("weight", "bias")}
    layers = {
        f"add.{i}.{part}": f"par_channel_add_conv_{letter}_{i}_{part}" for i in (0, 1, 3) for part in ("weight", "bias")
    }
    return keys | layers


def batch(arrays: Arrays) -> Batch:
    boxes = boxes_of(arrays)
    size, image = (tuple(int(side) for side in arrays[key]) for key in ("in_pad_hw", "in_img_hw"))
    nothing = [torch.zeros((0, 4)) for _ in boxes]
    return Batch(size, [image] * len(boxes), boxes, [torch.zeros(len(b)).long() for b in boxes], nothing)  # type: ignore[arg-type]


def maps(arrays: Arrays) -> tuple[Tensor, Tensor]:
    student, teacher = (tensor(arrays[f"in_{who}"]).float().requires_grad_() for who in ("student", "teacher"))
    return student, teacher


def terms(arrays: Arrays) -> None:
    found = built(arrays, every_term=True).level_terms(0, *maps(arrays), batch(arrays))
    for term in TERMS:
        if f"out_{term}" in arrays:
            close(found.get(term, torch.zeros(())), arrays[f"out_{term}"], term)


def masks(arrays: Arrays) -> None:
    painted = built(arrays).masks(batch(arrays), tensor(arrays["in_teacher"]))
    for side, got in zip(("fg", "bg"), painted, strict=True):
        if f"out_{side}weights" in arrays:
            expected = arrays[f"out_{side}weights"]
            assert ((got.numpy() != 0) == (expected != 0)).all(), f"{side}: other cells than the golden mask's"
            close(got, expected, f"{side} weights", rtol=1e-6)


def attentions(arrays: Arrays) -> None:
    method = built(arrays)
    student, teacher = maps(arrays)
    for who, level in (("student", method.aligners[0](student)), ("teacher", teacher)):
        for kind, got in zip(("spatial", "channel"), attention(level, method.params.temperature), strict=True):
            if f"out_{kind}_att_{who}" in arrays:
                close(got, arrays[f"out_{kind}_att_{who}"], f"{kind} attention of the {who}")


def loss(arrays: Arrays) -> None:
    method = built(arrays)
    student, teacher = maps(arrays)
    found = method(Features(neck=(student,)), Features(neck=(teacher,)), batch(arrays), Progress(0, 1, 0, 1))
    total: Tensor = sum(found.values(), torch.zeros(()))
    if "out_loss" in arrays:
        close(total, arrays["out_loss"], "loss")
    total.backward()
    if "grad_student" in arrays:
        near(gradient(student), arrays["grad_student"], "gradient of the student's map")
    for key in arrays:
        if key.startswith("grad_") and key != "grad_student":
            near(parameters_gradient(method, key, arrays), arrays[key], key)
    untouched([teacher])


def near(got: Tensor, expected: np.ndarray, what: str) -> None:
    """Gradients of 1e-5 need a tolerance that follows their size."""
    close(got, expected, what, rtol=1e-3, atol=1e-5 * float(np.abs(expected).max()))


def parameters_gradient(method: Any, key: str, arrays: Arrays) -> Tensor:
    """Of the parameter that a gradient's name means; 0 where its term is off. A layer's name alone means its weight."""
    name = key.removeprefix("grad_")
    if not name.endswith(("_weight", "_bias")):
        name += "_weight"
    if name.startswith("align"):
        return gradient(getattr(method.aligners[0], name.removeprefix("align_")))
    for letter, block in BLOCKS.items():
        for ours, theirs in block_keys(letter).items():
            if theirs == f"par_{name}":
                if not hasattr(method, block):
                    return torch.zeros(arrays[key].shape)
                return gradient(dict(getattr(method, block)[0].named_parameters())[ours])
    raise AssertionError(f"{key}: no parameter of that name")
