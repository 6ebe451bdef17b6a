"""A golden file of LGD as a method with the file's weights, and a batch with its labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cases import Arrays, tensor
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress
from kdbench.methods.lgd.tokens import Tokens

ON, OFF = Progress(0, 1, 0, 2), Progress(0, 1, 1, 2)
"""The hint reaches the student, and does not: with stop_frac 0.5."""
TRANSFORM = {f"conv{i + 1}": f"layers.{i}.0" for i in range(3)} | {
    "fc1": "layers.3.0",
    "fc2": "layers.4.0",
    "fc3": "last",
}
LAYERS = {
    **{f"label_encoder_.stn_desc.{theirs}": f"encoder.transform_input.{ours}" for theirs, ours in TRANSFORM.items()},
    **{f"label_encoder_.stn_feat.{theirs}": f"encoder.transform_features.{ours}" for theirs, ours in TRANSFORM.items()},
    "label_encoder_.conv1": "encoder.enter.0",
    "label_encoder_.conv2": "encoder.widen.0.0",
    "label_encoder_.conv3": "encoder.widen.1.0",
    "label_encoder_.conv4": "encoder.join.0",
    "canoni_proj_1D.0.0": "label_vectors.0",
    "student_proj_2D.0.0": "appearance.convolution",
    "multi_head_attn.out_proj": "attention.out",
    "local_inst_proj_1D": "mapper.object_vectors",
    "local_inst_proj_2D": "mapper.painted",
    "global_ctx_proj_1D": "mapper.context_vectors",
    **{f"refinement_module.{i}": f"mapper.refine.{i}" for i in (0, 3, 6)},
}
"""The official branch's layers and ours."""


@dataclass(frozen=True)
class Setup:
    """What the checks of a file need. Levels by the file's names, p2 to p7."""

    method: Any
    batch: Batch
    levels: dict[str, Tensor]

    @property
    def neck(self) -> tuple[Tensor, ...]:
        return tuple(self.levels.values())

    def tokens(self) -> Tokens:
        return self.method.tokens(self.batch)

    def instructive(self) -> dict[str, Tensor]:
        return dict(zip(self.levels, self.method.instructive(self.neck, self.batch), strict=True))

    def hint(self, progress: Progress) -> Tensor:
        """The weighted term. The student has a head without losses."""
        self.batch.head_losses = lambda maps: {}
        return self.method(Features(neck=self.neck), Features(), self.batch, progress)["loss_hint"]


def setup(arrays: Arrays, **changed: Any) -> Setup:
    """Args:
    changed: parameters other than the file's.
    """
    meta = json.loads(str(arrays["meta_json"]))
    widths, names = meta["widths"], meta["levels"]
    weights = weights_of(arrays)
    values = {
        "lambda_hint": meta["hint_weight"],
        "context": meta["context"],
        "detach_appearance": meta["detach_appearance"],
        "segmentation": meta["segmentation"],
        "interaction": meta["interaction"],
        "class_code": meta["category_format"],
        "heads": meta["heads"],
        "encoder_widths": (widths["w1"], widths["w2"], widths["w3"]),
        "transform_widths": (widths["f1"], widths["f2"]),
        "adapter_depth": sum(name.startswith("adapter.") and name.endswith(".weight") for name in weights),
        "start_frac": 0.0,
        "stop_frac": 0.5,
    }
    strides = tuple(2 ** int(name[1:]) for name in names)
    info = DetectorInfo("one_stage", meta["num_classes"], (widths["channels"],) * len(names), strides, (), masks=True)
    method = registry.build("lgd", {**values, **changed}, info, None)
    for name, value in method.named_parameters():
        value.data.copy_(weights[official(name)].reshape(value.shape))
    if meta["segmentation"]:
        method.crops = lambda tokens, batch: crops(arrays)
    levels = {name: tensor(arrays[f"feat.student.{name}"]).requires_grad_() for name in names}
    return Setup(method, batch_of(arrays), levels)


def official(name: str) -> str:
    """The file's name of one of the method's parameters, without param. or fill.

    Example:
        >>> official("branch.attention.project.bias"), official("adapter.0.weight")
        ('tea.multi_head_attn.in_proj_bias', 'adapter.distill.adapter.0.weight')
    """
    layer, _, kind = name.rpartition(".")
    if layer.startswith("adapter."):
        return f"adapter.distill.{name}"
    layer = layer.removeprefix("branch.")
    if layer == "attention.project":
        return f"tea.multi_head_attn.in_proj_{kind}"
    return f"tea.{next(theirs for theirs, ours in LAYERS.items() if ours == layer)}.{kind}"


def parameters(method: nn.Module) -> dict[str, Tensor]:
    """The method's parameters by the file's names."""
    return {official(name): value for name, value in method.named_parameters()}


def weights_of(arrays: Arrays) -> dict[str, Tensor]:
    """All weights of a file, written out or given by a formula."""
    written = {key.removeprefix("param."): tensor(value) for key, value in arrays.items() if key.startswith("param.")}
    names = [key.removeprefix("fill.") for key in arrays if key.startswith("fill.")]
    return written | {name: filled(arrays[f"fill.{name}"], arrays[f"fill_shape.{name}"]) for name in names}


def filled(formula: np.ndarray, shape: np.ndarray) -> Tensor:
    """base + amplitude * u(i) for (key, amplitude, base); u is a hash of the index, in [-1, 1)."""
    key, amplitude, base = formula.tolist()
    limit = np.uint64(0xFFFFFFFF)
    x = np.arange(int(np.prod(shape)), dtype=np.uint64) * np.uint64(2654435761)
    x = (x + np.uint64(int(key) * 40503 + 12345)) & limit
    for _ in range(2):
        x = ((x ^ (x >> np.uint64(16))) * np.uint64(0x45D9F3B)) & limit
    x ^= x >> np.uint64(16)
    return torch.from_numpy((base + amplitude * (x / 2**32 * 2 - 1)).astype("f4")).reshape(tuple(shape))


def batch_of(arrays: Arrays) -> Batch:
    height, width = arrays["canvas_hw"].tolist()
    sizes = [(int(h), int(w)) for h, w in arrays["image_sizes_hw"]]
    boxes = [boxes.float().reshape(-1, 4) for boxes in per_image(arrays, "gt.boxes")]
    labels = [labels.long() for labels in per_image(arrays, "gt.labels")]
    masks = [bitmaps(arrays, i, size) for i, size in enumerate(sizes)]
    return Batch((height, width), sizes, boxes, labels, [box.new_zeros(0, 4) for box in boxes], masks=masks)


def bitmaps(arrays: Arrays, image: int, size: tuple[int, int]) -> Tensor:
    """(G, h, w) bool; no objects if the file has no masks of this image."""
    shape = arrays[f"gt.mask_shape.{image}"].tolist() if f"gt.mask.{image}" in arrays else [0]
    if shape[0] == 0:
        return torch.zeros(0, *size, dtype=torch.bool)
    bits = np.unpackbits(arrays[f"gt.mask.{image}"].reshape(shape[0], -1), axis=1, count=shape[1] * shape[2])
    return torch.from_numpy(bits.reshape(shape)).bool()


def crops(arrays: Arrays) -> list[Tensor]:
    """(G, 7, 7) of each image; none where the file has no masks of it."""
    nothing = np.zeros((0, 7, 7), "f4")
    found = [arrays.get(f"gt.mask_crop7.{image}", nothing) for image in range(len(arrays["image_sizes_hw"]))]
    return [tensor(crop.reshape(-1, 7, 7)) for crop in found]


def per_image(arrays: Arrays, name: str) -> list[Tensor]:
    return [tensor(arrays[f"{name}.{image}"]) for image in range(len(arrays["image_sizes_hw"]))]


def built(method: Method) -> set[str]:
    """Official names of the parameters that the method has."""
    return set(parameters(method))
