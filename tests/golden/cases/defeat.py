"""DeFeat: masks, map losses, RoI logits and decay, driven through the method itself where the arrays allow."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, Check, close, gradient, leftovers, numbered, same, tensor, untouched
from cases.defeat_maps import backbone_checks, neck_checks
from cases.defeat_method import OFF, backward, batch_of, defeat, progress_of, schedule_of, weight
from kdbench.methods.base import Batch, Features, Progress, RoiLogits
from kdbench.methods.shared import masks, schedules

SCHEDULE = r"out_(none|linear|cosine|up_down)_E(\d+)"
KNOWN = (
    r"out_box_level",
    r"out_bb_gt_mask",
    r"out_gt_mask_l\d+",
    r"out_loss_(fg|bg)",
    r"out_level_(fg|bg)_unweighted",
    r"grad_student_[ls]\d+",
    r"grad_student_sumsq",
    r"grad_adapt_(weight|bias)_[ls]\d+",
    r"grad_student_logits",
    r"out_kl_(fg|bg|all|fg_teacher_correct|teacher_correct)",
    r"out_official_decouple_(fg|bg)",  # the released code's mistake, for information
    SCHEDULE,
)


def cases(arrays: Arrays) -> list[Check]:
    checks: list[Check] = []
    if "in_feat_sizes" in arrays:
        checks += mask_checks(arrays)
    if numbered(arrays, "in_student_l"):
        checks += neck_checks(arrays)
    if numbered(arrays, "in_student_s"):
        checks += backbone_checks(arrays)
    if "in_student_logits" in arrays:
        checks += head_checks(arrays)
    if any(re.fullmatch(SCHEDULE, key) for key in arrays):
        checks.append(Check("decay", partial(decay, arrays)))
    return checks + leftovers(arrays, KNOWN) if checks else []


# -- masks -----------------------------------------------------------------------------------------------------------


def mask_checks(arrays: Arrays) -> list[Check]:
    found = []
    if "out_box_level" in arrays:
        found.append(Check("box_level", partial(box_level, arrays)))
    if numbered(arrays, "out_gt_mask_l"):
        found.append(Check("gt_masks", partial(gt_masks, arrays)))
    if "out_bb_gt_mask" in arrays:
        found.append(Check("backbone_mask", partial(backbone_mask, arrays)))
    return found


def box_level(arrays: Arrays) -> None:
    boxes = tensor(arrays["in_boxes"]).reshape(-1, 4)
    same(masks.box_levels(boxes, len(arrays["in_strides"])), arrays["out_box_level"], "box level")


def gt_masks(arrays: Arrays) -> None:
    sizes = [tuple(size) for size in arrays["in_feat_sizes"].tolist()]
    painted = defeat(neck=[(1, 1)] * len(sizes), strides=arrays["in_strides"]).neck_masks(batch_of(arrays), sizes)
    for level in numbered(arrays, "out_gt_mask_l"):
        same(painted[level].byte(), arrays[f"out_gt_mask_l{level}"], f"mask of level {level}")


def backbone_mask(arrays: Arrays) -> None:
    method = defeat(neck=[(1, 1)], strides=arrays["in_strides"][:1])
    painted = method.backbone_mask(batch_of(arrays), tuple(arrays["in_feat_sizes"][0].tolist()))
    same(painted.byte(), arrays["out_bb_gt_mask"], "backbone mask")


# -- RoI head --------------------------------------------------------------------------------------------------------

HEAD = {
    "out_kl_fg": ("fore", "loss_head_fg", "head_fg_weight"),
    "out_kl_bg": ("back", "loss_head_bg", "head_bg_weight"),
    "out_kl_all": ("all", "loss_head_all", "head_fg_weight"),
    "out_kl_fg_teacher_correct": ("fore_correct", "loss_head_fg_correct", "head_fg_weight"),
    "out_kl_teacher_correct": ("correct", "loss_head_correct", "head_fg_weight"),
}


def head_checks(arrays: Arrays) -> list[Check]:
    found = [Check(key.removeprefix("out_"), partial(head_group, arrays, key)) for key in HEAD if key in arrays]
    if "grad_student_logits" in arrays:
        found.append(Check("kl_gradient", partial(head_gradient, arrays)))
    return found


def head_group(arrays: Arrays, key: str) -> None:
    region, term, name = HEAD[key]
    for index, temperature in enumerate(np.atleast_1d(arrays["hp_temperatures"])):
        terms, _ = head_terms(arrays, float(temperature), {"head_region": region, name: 1.0})
        close(terms[term], np.asarray(np.atleast_1d(arrays[key])[index]), f"{key} at T={temperature}")


def head_gradient(arrays: Arrays) -> None:
    values = {"head_fg_weight": weight(arrays, "fg"), "head_bg_weight": weight(arrays, "bg"), **schedule_of(arrays)}
    for index, temperature in enumerate(np.atleast_1d(arrays["hp_temperatures"])):
        terms, logits = head_terms(arrays, float(temperature), values)
        backward(terms)
        what = f"gradient of the logits at T={temperature}"
        close(gradient(logits.student), arrays["grad_student_logits"][index], what, rtol=1e-3)
        untouched([logits.teacher])


def head_terms(arrays: Arrays, temperature: float, values: dict) -> tuple[dict[str, Tensor], RoiLogits]:
    student, teacher = (tensor(arrays[f"in_{who}_logits"]).float().requires_grad_() for who in ("student", "teacher"))
    logits = RoiLogits(student, teacher, tensor(arrays["in_labels"]))
    both = {"head_fg_temperature": temperature, "head_bg_temperature": temperature}
    method = defeat({**OFF, **both, **values}, num_classes=int(arrays["hp_num_classes"]))
    batch = Batch((1, 1), [], [], [], [], roi_logits=[logits])
    return method(Features(), Features(), batch, progress_of(arrays)), logits


# -- decay -----------------------------------------------------------------------------------------------------------


def decay(arrays: Arrays) -> None:
    for key in arrays:
        if m := re.fullmatch(SCHEDULE, key):
            kind, steps = m[1], int(m[2])
            factors = [schedules.factor(Progress(e, steps, e * 7, steps * 7), kind) for e in range(steps)]  # type: ignore[arg-type]
            close(torch.tensor(factors), arrays[key], key, rtol=1e-5)
