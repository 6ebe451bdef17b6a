"""MGD: the mask, the loss and its gradients, driven through the method with the file's random numbers and parameters."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, Check, close, floats, gradient, leftovers, numbered, same, tensor, untouched
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress

KNOWN = (r"out_loss(_unweighted)?", r"grad_(student|gen[02]_(weight|bias)|align_(weight|bias))(_l\d+)?")
NO_LABELS = Batch((1, 1), [], [], [], [])


def cases(arrays: Arrays) -> list[Check]:
    if not maps_of(arrays, "in_student") or not maps_of(arrays, "in_uniform"):
        return []
    checks = [Check("loss_and_gradients", partial(loss_and_gradients, arrays))]
    if maps_of(arrays, "in_keep_mask"):
        checks.append(Check("keep_mask", partial(keep_mask, arrays)))
    if "out_loss_unweighted" in arrays:
        checks.append(Check("unweighted", partial(unweighted, arrays)))
    return checks + leftovers(arrays, KNOWN)


def loss_and_gradients(arrays: Arrays) -> None:
    students, teachers = floats(maps_of(arrays, "in_student")), floats(maps_of(arrays, "in_teacher"))
    method = built(arrays, number(arrays["hp_alpha_mgd"]))
    total = total_of(method, students, teachers)
    if "out_loss" in arrays:
        close(total, arrays["out_loss"], "loss")
    total.backward()
    for index, (level, leaf) in enumerate(students.items()):
        leaves = {"student": leaf, **parameters(method, index)}
        for name, value in leaves.items():
            key = key_of(arrays, f"grad_{name}", level)
            if key in arrays:
                # An alpha of 1e-7 makes gradients that a fixed tolerance would hide.
                close(gradient(value), arrays[key], key, rtol=1e-3, atol=1e-5 * float(np.abs(arrays[key]).max()))
    untouched(teachers.values())


def unweighted(arrays: Arrays) -> None:
    total = total_of(built(arrays, 1.0), maps_of(arrays, "in_student"), maps_of(arrays, "in_teacher"))
    close(total, arrays["out_loss_unweighted"], "sum of squares")


def keep_mask(arrays: Arrays) -> None:
    method = built(arrays, 1.0)
    for level, teacher in maps_of(arrays, "in_teacher").items():
        key = key_of(arrays, "in_keep_mask", level)
        same(method.keep_mask(teacher.float()).byte(), arrays[key], key)


def total_of(method: Method, students: dict[int, Tensor], teachers: dict[int, Tensor]) -> Tensor:
    ours, theirs = Features(neck=tuple(students.values())), Features(neck=tuple(teachers.values()))
    return torch.stack(list(method(ours, theirs, NO_LABELS, Progress(0, 1, 0, 1)).values())).sum()


def built(arrays: Arrays, alpha: float) -> Method:
    """The method with the file's parameters; its draws are the file's, level after level."""
    students, teachers = maps_of(arrays, "in_student"), maps_of(arrays, "in_teacher")
    drawn = [uniform.float() for uniform in maps_of(arrays, "in_uniform").values()]
    values: dict[str, Any] = {
        "alpha_mgd": alpha,
        "lambda_mgd": number(arrays["hp_lambda_mgd"]),
        "norm": "sum",
        "levels": "all",
        "mask_on_channel": all(
            u.shape[1:] == (t.shape[1], 1, 1) for u, t in zip(drawn, teachers.values(), strict=True)
        ),
    }
    infos = (
        DetectorInfo("one_stage", 3, tuple(m.shape[1] for m in maps.values()), (8,) * len(maps), ())
        for maps in (students, teachers)
    )
    method = registry.build("mgd", values, *infos)
    for index, level in enumerate(students):
        for name, parameter in parameters(method, index).items():
            parameter.data.copy_(tensor(arrays[key_of(arrays, f"par_{name}", level)]))
    rest = iter(drawn)

    def draw(shape: tuple[int, ...], like: Tensor) -> Tensor:
        given = next(rest)
        assert given.shape == shape, f"random numbers {tuple(given.shape)}, asked for {shape}"
        return given

    method.draw = draw
    return method


def parameters(method: Method, index: int) -> dict[str, Tensor]:
    """The parameters of a level by the files' names: gen0_weight, align_bias, ..."""
    found = {f"gen{name.replace('.', '_')}": value for name, value in method.generators[index].named_parameters()}
    return found | {f"align_{name}": value for name, value in method.aligners[index].named_parameters()}


def maps_of(arrays: Arrays, name: str) -> dict[int, Tensor]:
    """One array without a number, or arrays numbered by level."""
    return {0: tensor(arrays[name])} if name in arrays else numbered(arrays, f"{name}_l")


def key_of(arrays: Arrays, name: str, level: int) -> str:
    """An array's name, with the level's number where the maps have one."""
    return name if "in_student" in arrays else f"{name}_l{level}"


def number(value: np.ndarray) -> float:
    """The decimal number that was written as float32: 0.65, not 0.64999998."""
    return float(str(value.astype("f4")))
