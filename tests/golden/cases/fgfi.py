"""FGFI: masks from anchors, losses on FPN levels, and the original on one map with all its anchors."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, Check, close, gradient, leftovers, numbered, same, tensor, untouched
from cases.defeat_method import batch_of
from cases.imitation import KNOWN, method_of, neck_checks, with_layers
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress
from kdbench.methods.fgfi import masks as fgfi_masks
from kdbench.methods.shared import masks

MASK = r"out_roi_mask_phi([0-9.]+)_l(\d+)"
OURS = (*KNOWN, MASK, r"out_box_level", r"out_mask", r"out_norm", r"out_loss", r"grad_student")
DIFFERENCES = {0: "squared", 1: "l1", 2: "div"}


def cases(arrays: Arrays) -> list[Check]:
    checks: list[Check] = []
    if "out_box_level" in arrays:
        checks.append(Check("box_level", partial(box_level, arrays)))
    if any(re.fullmatch(MASK, key) for key in arrays):
        checks.append(Check("masks", partial(roi_masks, arrays)))
    if numbered(arrays, "in_student_l"):
        checks += neck_checks(arrays, fgfi, lambda method, ours, theirs, batch: method.level_means(ours, theirs, batch))
    if "in_all_anchors" in arrays:
        checks.append(Check("anchors", partial(legacy, arrays)))
    if "in_gt_boxes" in arrays:
        checks.append(Check("original", partial(original, arrays)))
    return checks + leftovers(arrays, OURS) if checks else []


def box_level(arrays: Arrays) -> None:
    boxes = tensor(arrays["in_boxes"]).reshape(-1, 4)
    same(masks.box_levels(boxes, len(arrays["in_strides"])), arrays["out_box_level"], "box level")


def roi_masks(arrays: Arrays) -> None:
    sizes = [tuple(size) for size in arrays["in_feat_sizes"].tolist()]
    strides = tuple(int(stride) for stride in arrays["in_strides"])
    base = tuple(tuple(tuple(box) for box in level) for level in arrays["in_base_anchors"].astype(float).tolist())
    info = DetectorInfo("two_stage", 3, (1,) * len(sizes), strides, (1,) * 4, base_anchors=base)
    painted = {}
    for phi in np.atleast_1d(arrays["hp_phis"]).tolist():
        method: Any = registry.build("fgfi", {"phi": phi}, info, info)
        painted[phi] = method.masks(batch_of(arrays), sizes)
    for key in arrays:
        if found := re.fullmatch(MASK, key):
            nearest = min(painted, key=lambda phi: abs(phi - float(found[1])))  # a key's phi is rounded
            assert abs(nearest - float(found[1])) < 0.01, f"{key}: its phi is not in hp_phis"
            same(painted[nearest][int(found[2])].byte(), arrays[key], key)


def fgfi(arrays: Arrays, weight: float) -> Method:
    values: dict[str, Any] = {"weight": weight, "difference": DIFFERENCES[int(arrays.get("hp_variant", 0))]}
    if "hp_phi" in arrays:
        values["phi"] = float(arrays["hp_phi"])
    method: Any = method_of("fgfi", arrays, values)
    if method.taps():
        with_layers(method.adapters, arrays)
    if given := [mask.bool() for mask in numbered(arrays, "in_mask_l").values()]:
        method.masks = lambda batch, sizes: given  # the file has no anchors, so its masks are taken as they are
    return method  # type: ignore[no-any-return]


# -- the original, on one map ----------------------------------------------------------------------------------------


def legacy(arrays: Arrays) -> None:
    stride = int(arrays["in_stride"])
    scales, ratios = arrays["in_anchor_scales"].tolist(), arrays["in_anchor_ratios"].tolist()
    base = torch.tensor(fgfi_masks.legacy_anchors(scales=scales, ratios=ratios))
    H, W = arrays["in_teacher"].shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(H) * stride, torch.arange(W) * stride, indexing="ij")
    shifts = torch.stack([columns, rows, columns, rows], -1).reshape(-1, 1, 4)
    same((base + shifts).reshape(-1, 4), arrays["in_all_anchors"].astype(np.float32), "anchors")


def original(arrays: Arrays) -> None:
    student, teacher = (tensor(arrays[f"in_{who}"]).float().requires_grad_() for who in ("student", "teacher"))
    method = single(arrays, student.shape[1], teacher.shape[1])
    stage = method.params.stage
    batch = batch_of_rows(arrays)
    (mask,) = method.masks(batch, [tuple(teacher.shape[-2:])])
    if "out_mask" in arrays:
        same(mask[:, None].byte(), arrays["out_mask"], "mask")
    if "out_norm" in arrays:
        close(2 * mask.sum().float(), np.asarray(arrays["out_norm"], dtype=np.float32), "denominator")
    ours, theirs = Features(backbone={stage: student}), Features(backbone={stage: teacher})
    terms = method(ours, theirs, batch, Progress(0, 1, 0, 1))
    loss: Tensor = sum(terms.values(), torch.zeros(()))
    if "out_loss" in arrays:
        close(loss, arrays["out_loss"], "loss")
    loss.backward()
    if "grad_student" in arrays:
        close(gradient(student), arrays["grad_student"], "gradient of the student's map", rtol=1e-3)
    untouched([teacher])


def single(arrays: Arrays, channels: int, teacher_channels: int) -> Any:
    """Preset fgfi_original on the backbone stage of the file's stride, without its warm-up."""
    stage = {4: 0, 8: 1, 16: 2, 32: 3}[int(arrays["in_stride"])]
    infos = [DetectorInfo("two_stage", 20, (1,), (16,), (width,) * 4) for width in (channels, teacher_channels)]
    values = {**registry.get("fgfi").presets["fgfi_original"], "warmup_frac": 0.0, "stage": stage}
    adapt = "par_adapt_weight" in arrays
    hyper = {"phi": float(arrays["hp_phi"]), "weight": float(arrays["hp_weight"]), "adapt": adapt}
    method: Any = registry.build("fgfi", {**values, **hyper}, *infos)
    if adapt:
        parts = {part: tensor(arrays[f"par_adapt_{part}"]).float() for part in ("weight", "bias")}
        method.adapters[0].load_state_dict(parts)
    if "in_all_anchors" in arrays:
        H, W = arrays["in_teacher"].shape[-2:]
        method.anchors_0 = tensor(arrays["in_all_anchors"]).float()[: len(arrays["in_all_anchors"]) // (H * W)]
    return method


def batch_of_rows(arrays: Arrays) -> Batch:
    """Rows of x1, y1, x2, y2, class; the first row of zeros ends an image's list."""
    boxes = []
    for rows in tensor(arrays["in_gt_boxes"]).float():
        empty = (rows == 0).all(1)
        count = int(empty.float().argmax()) if bool(empty.any()) else len(rows)
        boxes.append(rows[:count, :4])
    H, W = (int(side) * int(arrays["in_stride"]) for side in arrays["in_teacher"].shape[-2:])
    nothing = [torch.zeros((0, 4)) for _ in boxes]
    return Batch((H, W), [(H, W)] * len(boxes), boxes, [torch.zeros(len(b)).long() for b in boxes], nothing)
