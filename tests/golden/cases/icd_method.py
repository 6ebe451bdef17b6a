"""The method, a batch, and given descriptions in place of drawn ones, as an ICD golden file's arrays describe them."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cases import Arrays, tensor
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress
from kdbench.methods.icd.instances import Draws

START = Progress(0, 1, 0, 1)
FORMS = {"mse": "mse", "l1": "l1", "smoothl1": "smoothL1", "l2": "L2"}
OPTIONS = {  # ours -> the file's
    "conf_weight": "conf_weight",
    "jitter": "sample_range",
    "sample_rule": "sample_rule",
    "neg_ratio": "neg_ratio",
    "max_labels": "max_labels",
    "num_labels": "num_labels",
    "add_scale": "add_scale",
    "layers": "layers",
    "use_pos": "use_pos",
    "project_pos": "project_pos",
    "pos_on_value": "pos_on_value",
    "distill_negative": "distill_negative",
}
PARTS = {
    r"ins_encoder\.(encoder|predictor)\.layers\.(\d+)\.(\w+)": lambda m: f"{m[1]}.{2 * int(m[2])}.{m[3]}",
    r"attention_module\.(?:matt\.(\d+)\.)?matt\.(in_proj_\w+|out_proj\.\w+)": lambda m: f"{_layer(m)}.attention.{m[2]}",
    r"attention_module\.(?:matt\.(\d+)\.)?pos_projector\.(\w+)": lambda m: f"{_layer(m)}.position.projection.{m[2]}",
    r"attention_module\.(?:matt\.(\d+)\.)?linear_in\.(\w+)": lambda m: f"{_layer(m)}.expand.{m[2]}",
    r"attention_module\.(?:matt\.(\d+)\.)?linear_out\.(\w+)": lambda m: f"{_layer(m)}.contract.{m[2]}",
    r"attention_module\.(?:matt\.(\d+)\.)?norm1\.(\w+)": lambda m: f"{_layer(m)}.norm_attention.{m[2]}",
    r"attention_module\.(?:matt\.(\d+)\.)?norm2\.(\w+)": lambda m: f"{_layer(m)}.norm_output.{m[2]}",
}
"""The official names on the teacher's side -> ours."""


def _layer(match: re.Match[str]) -> str:
    return f"decoder.{int(match[1] or 0)}"


def meta_of(arrays: Arrays) -> dict[str, Any]:
    meta = json.loads(str(arrays["meta_json"]))
    ratio = meta.pop("NUM_NEG_POS_RATIO", None)
    return meta if ratio is None else {"neg_ratio": ratio, **meta}


def levels_of(arrays: Arrays) -> list[str]:
    return list(meta_of(arrays).get("levels", ["p3"]))


def values_of(arrays: Arrays) -> dict[str, Any]:
    """The method's parameters, without a wait before the imitation."""
    meta = meta_of(arrays)
    values: dict[str, Any] = {ours: meta[theirs] for ours, theirs in OPTIONS.items() if theirs in meta}
    values |= {"start": 0, "heads": meta.get("heads", 1), "hidden_dim": meta["channels"]}
    if "project_pos" not in meta and any("out_proj" in name for name in state_of(arrays, "teacher")):
        values["project_pos"] = any("pos_projector" in name for name in state_of(arrays, "teacher"))
    if "add_scale" not in meta:
        values["add_scale"] = arrays["q.descriptor"].shape[-1] > meta["num_classes"] + 256
    if "weight" in meta:
        values["lambda_distill"] = meta["weight"]
    if "distill_norm" in meta:
        values["value_norm"] = meta["distill_norm"] if meta["distill_norm"] in ("ln", "tln") else "none"
    if "loss_form" in meta:
        values["loss_form"] = form_of(meta["loss_form"])
    if "temperature" in meta:
        values |= temperature_of(meta["temperature"])
    return values


def form_of(name: str) -> str:
    return FORMS[name.lower()]


def temperature_of(value: float) -> dict[str, Any]:
    """A negative one means: learnt, from 1 on."""
    return {"temperature": value} if value > 0 else {"temperature": 1.0, "temperature_schedule": "learnable"}


def icd(arrays: Arrays, **changes: Any) -> Method:
    """The method with the file's weights, and its descriptions in place of drawn ones."""
    meta, levels = meta_of(arrays), levels_of(arrays)
    widths = [arrays[f"feat.{who}.{levels[0]}"].shape[1] if feats(arrays) else 16 for who in ("student", "teacher")]
    strides = tuple(2 ** int(level.removeprefix("p")) for level in levels)
    student, teacher = (
        DetectorInfo("one_stage", meta["num_classes"], (width,) * len(levels), strides, (16, 32, 64, 128))
        for width in widths
    )
    method = registry.build("icd", {**values_of(arrays), **changes}, student, teacher)
    load(method, arrays)
    method.draw = lambda images, slots, device: given(arrays, images, slots)
    if leaks(arrays):
        method.describe = lambda instances, batch: tensor(arrays["q.descriptor"]).float()
    return method


def feats(arrays: Arrays) -> bool:
    return any(key.startswith("feat.teacher.") for key in arrays)


def leaks(arrays: Arrays) -> bool:
    """Did the official code describe sizes by another image's?"""
    both = [arrays.get(key) for key in ("q.scale_onehot", "q.scale_onehot_per_image")]
    return all(one is not None for one in both) and not np.array_equal(*both)  # type: ignore[arg-type]


def given(arrays: Arrays, images: int, slots: int) -> Draws:
    """The file's fakes, and the jitter that its centres show."""
    labels, boxes, centres = (tensor(arrays[f"q.{name}"]) for name in ("class", "box_xyxy_norm", "centre"))
    assert labels.shape == (images, slots), f"{images} images of {slots} slots, golden {tuple(labels.shape)}"
    boxes = boxes.float()
    extent = boxes[..., 2:] - boxes[..., :2]
    shift = centres.float() - (boxes[..., 2:] + boxes[..., :2]) / 2
    return Draws(labels.long(), boxes, torch.where(extent > 0, shift / extent.clamp(min=1e-9), extent))


def batch_of(arrays: Arrays) -> Batch:
    sizes = [(int(height), int(width)) for height, width in arrays["image_sizes_hw"]]
    boxes = [tensor(arrays[f"gt.boxes.{i}"]).float().reshape(-1, 4) for i in range(len(sizes))]
    labels = [tensor(arrays[f"gt.labels.{i}"]).long() for i in range(len(sizes))]
    canvas = arrays.get("canvas_hw", arrays["image_sizes_hw"].max(0))
    return Batch((int(canvas[0]), int(canvas[1])), sizes, boxes, labels, [torch.zeros(0, 4)] * len(sizes))


def leaves_of(arrays: Arrays, who: str) -> dict[str, Tensor]:
    return {level: tensor(arrays[f"feat.{who}.{level}"]).float().requires_grad_() for level in levels_of(arrays)}


def features(leaves: dict[str, Tensor]) -> Features:
    return Features(neck=tuple(leaves.values()))


# -- weights ---------------------------------------------------------------------------------------------------------


def state_of(arrays: Arrays, side: str) -> dict[str, Tensor]:
    """Official name -> value, stored or made from its formula."""
    stored = {k.removeprefix(f"param.{side}."): tensor(arrays[k]) for k in arrays if k.startswith(f"param.{side}.")}
    rules = {k.removeprefix(f"fill.{side}."): arrays[k] for k in arrays if k.startswith(f"fill.{side}.")}
    made = {name: filled(*rule, arrays[f"fill_shape.{side}.{name}"]) for name, rule in rules.items()}
    return {name: value.float() for name, value in (stored | made).items()}


def filled(key: float, amplitude: float, base: float, shape: np.ndarray) -> Tensor:
    """base + amplitude * u, u in [-1, 1) from a hash of the flat index."""
    count, low = int(np.prod(shape)), np.uint64(2**32 - 1)
    x = (np.arange(count, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(int(key) * 40503 + 12345)) & low
    for _ in range(2):
        x = ((x ^ (x >> np.uint64(16))) * np.uint64(0x45D9F3B)) & low
    x = x ^ (x >> np.uint64(16))
    u = x.astype(np.float64) / 2**32 * 2 - 1
    return torch.from_numpy((base + amplitude * u).astype(np.float32)).reshape(tuple(int(side) for side in shape))


def load(method: Method, arrays: Arrays) -> None:
    """Put the file's weights into the method; a file of queries has those of the query encoder only."""
    state = {ours_of(name): value for name, value in state_of(arrays, "teacher").items()}
    side: nn.Module = method.teacher_side  # type: ignore[assignment]
    if not method.params.use_pos:
        state = {name: value for name, value in state.items() if ".position." not in name}
    unknown = set(state) - set(side.state_dict())
    missing = set(side.state_dict()) - set(state) if feats(arrays) else set()
    assert not unknown | missing, f"weights unknown to the method: {unknown}, missing in the file: {missing}"
    side.load_state_dict(state, strict=False)
    students = {}
    for name, value in state_of(arrays, "student").items():
        if (ours := student_of(name)) in method.student_side.state_dict():  # type: ignore[operator]
            students[ours] = value.chunk(3)[2] if "in_proj" in name else value
    assert not feats(arrays) or set(students) == set(method.student_side.state_dict())  # type: ignore[operator]
    method.student_side.load_state_dict(students, strict=False)  # type: ignore[operator]


def ours_of(name: str) -> str:
    """Our name of one of the teacher side's weights."""
    for pattern, ours in PARTS.items():
        if match := re.fullmatch(pattern, name):
            return ours(match)
    return name


def student_of(name: str) -> str:
    """Our name of one of the student side's weights; most of the official ones are never used."""
    ours = ours_of(name)
    ours = re.sub(r"decoder\.(\d+)\.attention\.in_proj_(\w+)", r"values.\1.\2", ours)
    return re.sub(r"decoder\.(\d+)\.position\.", r"positions.\1.", ours)
