"""PKD: the loss of each level, their weighted sum and its gradients, driven through the method."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from cases import Arrays, Check, close, floats, gradient, leftovers, numbered, tensor, untouched
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress

KNOWN = (r"out_loss", r"out_level_unweighted", r"grad_student_l\d+", r"grad_align_(weight|bias)_l\d+")
NO_LABELS = Batch((1, 1), [], [], [], [])


def cases(arrays: Arrays) -> list[Check]:
    if not numbered(arrays, "in_student_l"):
        return []
    checks = [Check("loss_and_gradients", partial(loss_and_gradients, arrays))]
    if "out_level_unweighted" in arrays:
        checks.append(Check("levels", partial(levels, arrays)))
    return checks + leftovers(arrays, KNOWN)


def loss_and_gradients(arrays: Arrays) -> None:
    students, teachers = floats(numbered(arrays, "in_student_l")), floats(numbered(arrays, "in_teacher_l"))
    method, terms = run(arrays, float(arrays["hp_weight"]), students, teachers)
    total = torch.stack(list(terms.values())).sum()
    if "out_loss" in arrays:
        close(total, arrays["out_loss"], "loss")
    total.backward()
    for place, (level, leaf) in enumerate(students.items()):
        assert leaf.grad is None or leaf.grad.isfinite().all(), f"gradient of level {level} is not finite"
        found = {"student": leaf, **dict(method.aligners[place].named_parameters(prefix="align"))}
        for name, value in found.items():
            key = f"grad_{name.replace('.', '_')}_l{level}"
            if key in arrays:
                close(gradient(value), arrays[key], key, rtol=1e-3)
    untouched(teachers.values())


def levels(arrays: Arrays) -> None:
    _, terms = run(arrays, 1.0, numbered(arrays, "in_student_l"), numbered(arrays, "in_teacher_l"))
    close(torch.stack(list(terms.values())), arrays["out_level_unweighted"], "unweighted by level")


def run(
    arrays: Arrays, weight: float, students: dict[int, Tensor], teachers: dict[int, Tensor]
) -> tuple[Method, dict[str, Tensor]]:
    """The method for detectors with the file's levels, and its terms."""
    values = {"weight": weight, "levels": list(range(len(students)))}
    if "hp_resize_stu" in arrays:
        values["resize_stu"] = bool(arrays["hp_resize_stu"])
    infos = (
        DetectorInfo("one_stage", 3, tuple(m.shape[1] for m in maps.values()), (8,) * len(maps), ())
        for maps in (students, teachers)
    )
    method = registry.build("pkd", values, *infos)
    for align, level in zip(method.aligners, students, strict=True):
        state = {name: tensor(arrays[f"par_align_{name}_l{level}"]).float() for name, _ in align.named_parameters()}
        align.load_state_dict(state)
    ours, theirs = Features(neck=tuple(students.values())), Features(neck=tuple(teachers.values()))
    return method, method(ours, theirs, NO_LABELS, Progress(0, 1, 0, 1))
