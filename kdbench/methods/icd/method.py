"""ICD: ask the teacher where each object can be recognised and located, and imitate it there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdbench.errors import InputError
from kdbench.methods.base import (
    Batch,
    DetectorInfo,
    Features,
    GradientRules,
    Method,
    MethodParams,
    OwnOptimizer,
    Progress,
    Taps,
)
from kdbench.methods.icd import check as icd_check
from kdbench.methods.icd import losses as icd_losses
from kdbench.methods.icd.decoder import Attended
from kdbench.methods.icd.descriptors import descriptors, width_of
from kdbench.methods.icd.instances import Draws, Instances, Prior, at_most, combine, draw, prior_of, slots_of
from kdbench.methods.icd.params import ICDParams
from kdbench.methods.icd.positions import padding_masks, sine_code
from kdbench.methods.icd.sides import Place, StudentSide, TeacherSide
from kdbench.methods.icd.weights import Temperature, attention_weights
from kdbench.methods.shared.masks import on_device


class ICD(Method):
    """Each object is a query (class, blurred position, coarse size) to a decoder over the teacher's FPN tokens s.

    Two auxiliary tasks train query encoder, decoder and predictor on teacher features: to tell real queries from
    fake ones, and to recover the real boxes. Where the real queries' attention looks, head m of the student's values
    V_s imitates the teacher's V_t (both normalised over a head's d channels):

        a_ms                 = sum_{k real} softmax_s(q_mk . k_ms / (sqrt(d) tau))
        loss_distill         = lambda * mean_{layers, m, channels}  sum_s a_ms (V_s - V_t)^2 / max(sum_s a_ms, 1e-6)
        loss_identification  = conf_weight * mean_{descriptions} BCE(real or fake), summed over layers
        loss_localisation    = mean_{objects} sum_{l,t,r,b} |predicted - distance| / extent, summed over layers

    and, if its weight is not 0, loss_reconstruction = weight * mean_{layers} MSE(linear(V_t), tokens). Only
    loss_distill reaches the student, after the `start` of the training; before, it trains the student's value
    projection alone. The weights a and the teacher's values get no gradient from it.

    Shapes: neck[l] (N, C_l, H_l, W_l); tokens (N, S, D) of all levels; a (N, M, S).
    Units: boxes in pixels of the padded input; sides and distances in shares of the image.
    Batch: loss_distill is a mean over images (form mse) or sums over the batch (other forms); identification and
        localisation are divided by the batch's numbers of descriptions and objects. An image without objects adds 0
        and counts. Ignored boxes play no part.
    Raises: InputError where the detectors do not suit (see `icd.check`) or their maps differ in size.
    Reference: Instance-Conditional Knowledge Distillation for Object Detection, NeurIPS 2021, arXiv 2110.12724.
    Differs from the paper: as the released PyTorch code, size hints are five bins of pixels, the localisation is
        relative to the box, and the imitation is averaged in each image first. Unlike that code, each image's size
        gives its size hints (there, the last image's), fakes are drawn from this dataset's own statistics in the
        order of its classes, a learnable temperature does learn, `reconstruction_weight` is a factor, objects under
        one pixel are left out, and student, teacher and `hidden_dim` may differ in width.

    Example:
        >>> info = DetectorInfo("one_stage", 3, (16, 16), (8, 16), (16, 32, 64, 128))
        >>> ICD(ICDParams(), info, info).own_optimizers()[0].modules
        ('teacher_side', 'student_side')
    """

    class Params(ICDParams):
        pass

    name = "icd"
    title = "imitate values where a decoder on the teacher, asked about each object, looks"
    reference = "Instance-Conditional Knowledge Distillation for Object Detection, NeurIPS 2021, arXiv 2110.12724"
    weights = ("lambda_distill",)
    presets = {
        "icd_one_stage": {"lambda_distill": 8.0, "max_labels": 300},
        "icd_two_stage": {"lambda_distill": 3.0, "max_labels": 100},
        "icd_without_inheriting": {"inherit": False},
        "icd_megengine": {"layers": 0, "loss_form": "squared", "norm_eps": 1e-4},
    }

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        p: ICDParams = self.params
        self.num_classes = student.num_classes
        self._prior: Prior | None = None
        if not self.on:
            return
        teacher = self.required(teacher)
        width = icd_check.hidden_dim(p, teacher)
        described = width_of(self.num_classes, p.add_scale)
        self.width = width
        self.teacher_side = TeacherSide(p, icd_check.used(p, teacher.neck_channels), width, described)
        self.student_side = StudentSide(p, icd_check.used(p, student.neck_channels), width)
        if p.temperature_schedule == "learnable":
            self.learnt_temperature = Temperature(p.temperature)

    @classmethod
    def check(cls, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse widths and levels that do not fit; see `icd.check`."""
        super().check(params, student, teacher)
        assert isinstance(params, ICDParams)
        if params.lambda_distill:
            icd_check.check(params, student, teacher or student)

    @classmethod
    def default_params(cls, student: DetectorInfo) -> dict[str, Any]:
        """The released weight and number of descriptions of either family."""
        return dict(cls.presets["icd_two_stage" if student.family == "two_stage" else "icd_one_stage"])

    # -- what the trainer asks -----------------------------------------------------------------------------

    @property
    def on(self) -> bool:
        return bool(self.params.lambda_distill)

    @property
    def inherits(self) -> bool:
        """Take the teacher's neck and heads, as `inherit` says."""
        return self.on and bool(self.params.inherit)

    @property
    def wants_statistics(self) -> bool:
        """Fakes are drawn from them, unless the prior is uniform."""
        return self.on and self.params.prior == "statistics"

    def taps(self) -> Taps:
        return Taps(neck=self.on)

    def own_optimizers(self) -> tuple[OwnOptimizer, ...]:
        """AdamW for all that the method holds, its gradient clipped as a whole."""
        p: ICDParams = self.params
        if not self.on:
            return ()
        everything = tuple(name for name, _ in self.named_children())
        rate = {"lr": p.aux_lr, "weight_decay": p.aux_weight_decay, "clip_norm": p.aux_clip_norm}
        return (OwnOptimizer(everything, "AdamW", policy="cosine", **rate),)

    def gradient_rules(self, progress: Progress) -> GradientRules:
        """The student's gradient is clipped element by element."""
        return GradientRules(clip_value=self.params.student_clip_value if self.on else None)

    # -- the terms -----------------------------------------------------------------------------------------

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """The weighted terms. Every sub-module is used each step, as DDP demands."""
        p: ICDParams = self.params
        if not self.on:
            return {}
        ours, theirs = self.levels(student, teacher)
        if progress.fraction < p.start:
            ours = tuple(level.detach() for level in ours)
        instances, place = self.instances(batch), self.place(theirs, batch)
        tokens = self.teacher_side.tokens(theirs)
        decoded = self.teacher_side(tokens, self.describe(instances, batch), place)
        terms = self.teacher_side.tasks(decoded, tokens, instances)
        temperature = self.temperature(progress)
        losses = []
        for layer, values in zip(decoded, self.student_side(ours, place), strict=True):
            weight = self.weights_of(layer, instances, place, temperature)
            losses.append(icd_losses.imitation(values, layer.value, weight, p.loss_form, p.value_norm, p.norm_eps))
        terms["loss_distill"] = torch.stack(losses).mean() * p.lambda_distill
        return terms

    def levels(self, student: Features, teacher: Features) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The student's and the teacher's maps that are looked at; the teacher's get no gradient.

        Raises:
            InputError: their sizes differ.
        """
        ours, theirs = (icd_check.used(self.params, features.neck) for features in (student, teacher))
        sizes = [[tuple(level.shape[-2:]) for level in levels] for levels in (ours, theirs)]
        if sizes[0] != sizes[1]:
            raise InputError(
                f"method icd: the student's FPN maps have sizes {sizes[0]}, the teacher's {sizes[1]}; "
                "use a student and a teacher with the same strides and feature sizes"
            )
        return ours, tuple(level.detach() for level in theirs)

    def instances(self, batch: Batch) -> Instances:
        """The objects of the batch, and fakes."""
        boxes, labels = at_most(batch, self.params.max_real)
        slots = [slots_of(len(box), self.params) for box in boxes]
        draws = self.draw(len(boxes), max(slots), boxes[0].device)
        return combine(boxes, labels, slots, image_sides(batch), draws)

    def draw(self, images: int, slots: int, device: torch.device) -> Draws:
        """The random part of the descriptions: fakes and jitter."""
        if self._prior is None or self._prior.mean.device != device:
            statistics = self.statistics if self.wants_statistics else None
            self._prior = prior_of(statistics, self.num_classes).to(device)
        return draw(self._prior, images, slots, self.params.jitter)

    def describe(self, instances: Instances, batch: Batch) -> Tensor:
        """The descriptors, (N, K, C)."""
        return descriptors(instances, image_sides(batch), self.num_classes, self.params.add_scale)

    def place(self, levels: tuple[Tensor, ...], batch: Batch) -> Place:
        """Padding and positional encoding of the levels' tokens."""
        sizes = [(int(level.shape[-2]), int(level.shape[-1])) for level in levels]
        masks = padding_masks(batch.image_sizes, batch.size, sizes, levels[0].device)
        padding = torch.cat([mask.flatten(1) for mask in masks], dim=1)
        if not self.params.use_pos:
            return Place(padding, None)
        return Place(padding, torch.cat([sine_code(mask, self.width).flatten(1, 2) for mask in masks], dim=1))

    def temperature(self, progress: Progress) -> float | Tensor:
        """What divides the logits now."""
        p: ICDParams = self.params
        if p.temperature_schedule == "learnable":
            learnt: Tensor = self.learnt_temperature()
            return learnt
        if p.temperature_schedule == "linear":
            return p.temperature + (p.temperature_end - p.temperature) * progress.fraction
        return p.temperature

    def weights_of(self, layer: Attended, instances: Instances, place: Place, temperature: float | Tensor) -> Tensor:
        """Where the real instances look, (N, M, S)."""
        if self.params.distill_negative:
            return attention_weights(layer.query, layer.key, place.padding, instances.valid, temperature)
        rows = slice(instances.most_real)
        query, real = layer.query[:, :, rows], instances.real[:, rows]
        return attention_weights(query, layer.key, place.padding, real, temperature)


def image_sides(batch: Batch) -> Tensor:
    """Width and height of the images before padding, (N, 2)."""
    return on_device([[width, height] for height, width in batch.image_sizes], batch.boxes[0].device).float()
