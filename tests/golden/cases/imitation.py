"""What golden files of imitation on FPN levels have in common: one loss, its levels, gradients, adaptation layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cases import Arrays, Check, close, floats, gradient, numbered, tensor, untouched
from cases.defeat_method import backward, batch_of, progress_of, schedule_of
from kdbench.methods import registry
from kdbench.methods.base import DetectorInfo, Features, Method

KNOWN = (
    r"out_loss_fg",
    r"out_level_fg_unweighted",
    r"grad_student_l\d+",
    r"grad_student_sumsq",
    r"grad_adapt_(weight|bias)_l\d+",
)
Build = Callable[[Arrays, float], Method]
Means = Callable[[Method, Features, Features, Any], Tensor]


def neck_checks(arrays: Arrays, build: Build, means: Means) -> list[Check]:
    """The loss with its gradients, and the unweighted error of each level.

    Args:
        build: the method of the arrays with a weight.
        means: (method, student, teacher, batch) -> the unweighted error of each level.
    """
    found = []
    if "out_loss_fg" in arrays:
        found.append(Check("neck_loss_and_gradients", partial(_neck, arrays, build)))
    if "out_level_fg_unweighted" in arrays:
        found.append(Check("neck_levels", partial(_levels, arrays, build, means)))
    return found


def method_of(name: str, arrays: Arrays, values: dict[str, Any], family: str = "one_stage") -> Method:
    """The method for detectors of the arrays' widths and strides, with the arrays' adaptation layers."""
    students, teachers = numbered(arrays, "in_student_l"), numbered(arrays, "in_teacher_l")
    strides = tuple(int(stride) for stride in arrays["in_strides"])[: len(students)]
    adapt = any(key.startswith("par_adapt_") for key in arrays)
    infos = [
        DetectorInfo(family, 3, tuple(level.shape[1] for level in maps.values()), strides, (1,) * 4)  # type: ignore[arg-type]
        for maps in (students, teachers)
    ]
    return registry.build(name, {"adapt": adapt, **schedule_of(arrays), **values}, *infos)


def with_layers(adapters: nn.ModuleList, arrays: Arrays) -> None:
    """Give the adaptation layers the arrays' values; a level without any is compared as it is."""
    for index, level in enumerate(numbered(arrays, "in_student_l")):
        if f"par_adapt_weight_l{level}" in arrays:
            parts = {part: tensor(arrays[f"par_adapt_{part}_l{level}"]).float() for part in ("weight", "bias")}
            adapters[index].load_state_dict(parts)
        else:
            adapters[index] = nn.Identity()


def _maps(arrays: Arrays) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    return floats(numbered(arrays, "in_student_l")), floats(numbered(arrays, "in_teacher_l"))


def _neck(arrays: Arrays, build: Build) -> None:
    students, teachers = _maps(arrays)
    method = build(arrays, float(arrays["hp_fg_weight"]))
    ours, theirs = Features(neck=tuple(students.values())), Features(neck=tuple(teachers.values()))
    terms = method(ours, theirs, batch_of(arrays), progress_of(arrays))
    close(sum(terms.values(), torch.zeros(())), arrays["out_loss_fg"], "loss")
    backward(terms)
    for number, leaf in students.items():
        if f"grad_student_l{number}" in arrays:
            close(gradient(leaf), arrays[f"grad_student_l{number}"], f"gradient of student map {number}", rtol=1e-3)
    if "grad_student_sumsq" in arrays:
        squares = torch.stack([gradient(leaf).square().sum() for leaf in students.values()])
        close(squares, arrays["grad_student_sumsq"], "sum of squares of the gradients", rtol=1e-3)
    for key in arrays:
        if found := re.fullmatch(r"grad_adapt_(weight|bias)_l(\d+)", key):
            layer = method.get_submodule(_adapters(method))[list(students).index(int(found[2]))]  # type: ignore[index]
            close(gradient(getattr(layer, found[1])), arrays[key], key, rtol=1e-3)
    untouched(teachers.values())


def _adapters(method: Method) -> str:
    return "neck_adapters" if hasattr(method, "neck_adapters") else "adapters"


def _levels(arrays: Arrays, build: Build, means: Means) -> None:
    students, teachers = numbered(arrays, "in_student_l"), numbered(arrays, "in_teacher_l")
    ours, theirs = Features(neck=tuple(students.values())), Features(neck=tuple(teachers.values()))
    got = means(build(arrays, 1.0), ours, theirs, batch_of(arrays))
    close(got, arrays["out_level_fg_unweighted"], "unweighted error by level")
