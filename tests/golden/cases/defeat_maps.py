"""DeFeat's losses on FPN levels and backbone stages: losses, gradients, masks given or from the boxes."""

from __future__ import annotations

import math
import re
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from cases import Arrays, Check, close, floats, gradient, numbered, tensor, untouched
from cases.defeat_method import OFF, backward, batch_of, defeat, progress_of, schedule_of, weight
from kdbench.methods.base import Features, Method


def neck_checks(arrays: Arrays) -> list[Check]:
    found = [Check("neck_losses_and_gradients", partial(neck, arrays))]
    if any(key.startswith("out_level_") for key in arrays):
        found.append(Check("neck_levels", partial(neck_levels, arrays)))
    return found


def neck(arrays: Arrays) -> None:
    students, teachers = floats(numbered(arrays, "in_student_l")), floats(numbered(arrays, "in_teacher_l"))
    method = neck_method(arrays, weight(arrays, "fg"), weight(arrays, "bg"))
    ours, theirs = Features(neck=tuple(students.values())), Features(neck=tuple(teachers.values()))
    terms = method(ours, theirs, batch_of(arrays), progress_of(arrays))
    compare(arrays, method, terms, students, teachers, "l")


def neck_levels(arrays: Arrays) -> None:
    students, teachers = numbered(arrays, "in_student_l"), numbered(arrays, "in_teacher_l")
    method = neck_method(arrays, 1.0, 1.0)
    ours, theirs = Features(neck=tuple(students.values())), Features(neck=tuple(teachers.values()))
    means = method.neck_means(ours, theirs, batch_of(arrays))
    for side in ("fg", "bg"):
        if f"out_level_{side}_unweighted" in arrays:
            close(means[side], arrays[f"out_level_{side}_unweighted"], f"unweighted {side} by level")


def neck_method(arrays: Arrays, fg: float, bg: float) -> Method:
    students, teachers = numbered(arrays, "in_student_l"), numbered(arrays, "in_teacher_l")
    widths = [(students[level].shape[1], teachers[level].shape[1]) for level in students]
    values = {"neck_fg_weight": fg, "neck_bg_weight": bg, "decouple": decoupled(arrays), **common(arrays)}
    method = defeat(values, neck=widths, strides=arrays["in_strides"])
    if not method.taps():
        return method
    for index, level in enumerate(students):
        method.neck_adapters[index] = loaded(method.neck_adapters[index], arrays, f"l{level}")
    given = [mask.bool() for mask in numbered(arrays, "in_mask_l").values()]
    strides = arrays["in_strides"].tolist()
    by_hand = [painted_by_hand(arrays, strides[level], mask.shape, level) for level, mask in enumerate(given)]
    if not all(map(torch.equal, given, by_hand)):
        method.neck_masks = lambda batch, sizes: given  # masks that do not come from the boxes
    return method


def backbone_checks(arrays: Arrays) -> list[Check]:
    return [Check("backbone_losses_and_gradients", partial(backbone, arrays))]


def backbone(arrays: Arrays) -> None:
    stages = [int(stage) for stage in np.atleast_1d(arrays["hp_bb_indices"])]
    students, teachers = floats(numbered(arrays, "in_student_s")), floats(numbered(arrays, "in_teacher_s"))
    count = max(*students, *stages) + 1
    widths = [(students[s].shape[1], teachers[s].shape[1]) if s in students else (1, 1) for s in range(count)]
    values = {**OFF, "backbone_fg_weight": weight(arrays, "fg"), "backbone_bg_weight": weight(arrays, "bg")}
    values |= {"backbone_stages": stages, "decouple": decoupled(arrays), **common(arrays)}
    stride = int(arrays["in_mask_stride"])
    method = defeat(values, backbone=widths, neck=[(1, 1)], strides=[stride])
    if method.taps():
        for stage in stages:
            method.backbone_adapters[str(stage)] = loaded(method.backbone_adapters[str(stage)], arrays, f"s{stage}")
    given = tensor(arrays["in_bb_mask"]).bool()
    if not torch.equal(given, painted_by_hand(arrays, stride, given.shape, None)):
        method.backbone_mask = lambda batch, size: given  # a mask that does not come from the boxes
    ours = Features(backbone={s: students[s] for s in stages})
    theirs = Features(backbone={s: teachers[s] for s in stages})
    terms = method(ours, theirs, batch_of(arrays), progress_of(arrays))
    compare(arrays, method, terms, students, teachers, "s")


def compare(
    arrays: Arrays,
    method: Method,
    terms: dict[str, Tensor],
    students: dict[int, Tensor],
    teachers: dict[int, Tensor],
    letter: str,
) -> None:
    """Losses, then the gradients of their sum."""
    place = "neck" if letter == "l" else "backbone"
    for side in ("fg", "bg"):
        if f"out_loss_{side}" in arrays:
            close(terms.get(f"loss_{place}_{side}", torch.zeros(())), arrays[f"out_loss_{side}"], f"{side} loss")
    backward(terms)
    for number, leaf in students.items():
        if f"grad_student_{letter}{number}" in arrays:
            what = f"gradient of student map {letter}{number}"
            close(gradient(leaf), arrays[f"grad_student_{letter}{number}"], what, rtol=1e-3)
    if "grad_student_sumsq" in arrays:
        squares = torch.stack([gradient(leaf).square().sum() for leaf in students.values()])
        close(squares, arrays["grad_student_sumsq"], "sum of squares of the gradients", rtol=1e-3)
    for key in (key for key in arrays if key.startswith("grad_adapt_")):
        part, number = re.fullmatch(rf"grad_adapt_(weight|bias)_{letter}(\d+)", key).groups()  # type: ignore[union-attr]
        reached = torch.zeros(arrays[key].shape)
        if method.taps():
            index = list(students).index(int(number))
            layer = method.neck_adapters[index] if letter == "l" else method.backbone_adapters[number]
            reached = gradient(getattr(layer, part))
        close(reached, arrays[key], key, rtol=1e-3)
    untouched(teachers.values())


def painted_by_hand(arrays: Arrays, stride: int, shape: tuple[int, ...], level: int | None) -> Tensor:
    """The rule of the specification, box by box; `level` None takes every box."""
    mask = torch.zeros(tuple(shape), dtype=torch.bool)
    num_levels = len(np.atleast_1d(arrays.get("in_strides", [0])))
    for box, image in zip(arrays["in_boxes"].reshape(-1, 4).tolist(), arrays["in_box_image"].tolist(), strict=True):
        scale = math.sqrt((box[2] - box[0] + 1) * (box[3] - box[1] + 1))
        own = min(max(math.floor(math.log2(scale / 56 + 1e-6)), 0), num_levels - 1)
        if level is not None and own != level:
            continue
        x1, y1, x2, y2 = (math.trunc(edge / stride) for edge in box)
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, shape[2]), min(y2, shape[1])
        if x1 == x2 or y1 == y2:
            mask[image, min(y1, shape[1] - 1), min(x1, shape[2] - 1)] = True
        else:
            mask[image, y1:y2, x1:x2] = True
    return mask


def common(arrays: Arrays) -> dict:
    """Parameters that map losses share."""
    values: dict = {"adapt": any(key.startswith("par_adapt_") for key in arrays), **schedule_of(arrays)}
    if "hp_norm" in arrays:
        values["norm"] = str(arrays["hp_norm"])
    return values


def loaded(layer: nn.Module, arrays: Arrays, where: str) -> nn.Module:
    """The method's adapter with the file's values; without any, the map is compared as it is."""
    if f"par_adapt_weight_{where}" not in arrays:
        return nn.Identity()
    state = {part: tensor(arrays[f"par_adapt_{part}_{where}"]).float() for part in ("weight", "bias")}
    layer.load_state_dict(state)
    return layer


def decoupled(arrays: Arrays) -> bool:
    return "out_loss_bg" in arrays or "out_level_bg_unweighted" in arrays
