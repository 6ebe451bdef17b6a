"""The distiller: runs student and teacher on the same images and adds the method's terms to the student's losses."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from kdbench.data import batches
from kdbench.data.streams import RandomStream
from kdbench.detectors import taps as tapping
from kdbench.detectors.head_losses import HeadLosses
from kdbench.detectors.roi_logits import RoiSource
from kdbench.errors import InputError
from kdbench.methods.base import Features, Method, Progress, Taps
from kdbench.training import terms
from kdbench.training.labels import labels_of


class Distiller(nn.Module):
    """A student with a method, and a teacher that is no part of the module.

    The teacher is in no state dict, parameter list, `train()` or `to()`; it stays in eval mode without gradients. After
    moving the distiller to another device, call `place_teacher()`. What the distillation draws at random comes from a
    stream of its own. If the method taps nothing, the teacher is not run and training is plain training, bit for bit.

    Args:
        autocast_dtype: run the teacher and the method under `torch.autocast` with it. The student's own precision is
            the caller's (mmcv's `wrap_fp16_model`).
        seed: of the distillation's random stream; each rank of a process group gets its own.

    Example:
        >>> distiller = Distiller(student, method, teacher)
        >>> distiller.train_step(data)["log_vars"]
        OrderedDict([('loss_cls', 1.2), ('loss_bbox', 0.9), ('loss_neck_fg', 0.1), ('loss', 2.2)])
    """

    teacher: nn.Module | None

    def __init__(
        self,
        student: nn.Module,
        method: Method,
        teacher: nn.Module | None = None,
        *,
        autocast_dtype: torch.dtype | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.student = student
        self.method = method
        # Past nn.Module's own attribute handling, which would register it.
        object.__setattr__(self, "teacher", teacher)
        self.autocast_dtype = autocast_dtype
        self.progress = Progress(0, 1, 0, 1)
        self.stream = RandomStream(seed + 1_000_003 * _rank())
        self.roi_source: RoiSource | None = None
        taps = method.taps()
        if taps:
            self._check(taps)
        self.place_teacher()

    def _check(self, taps: Taps) -> None:
        tapping.check(self.student, taps, "student")
        if self.teacher is not None:
            tapping.check(self.teacher, taps, "teacher")
        elif self.method.needs_teacher:
            raise InputError(f"method {self.method.name} needs a teacher; name one in the task or with --teacher")
        if taps.roi_logits and self.teacher is not None:
            self.roi_source = RoiSource(self.student, self.teacher, taps.roi_logits)

    # -- the teacher, which is no sub-module ---------------------------------------------------------------

    def place_teacher(self) -> None:
        """Put the teacher on the student's device, in eval mode, without gradients."""
        if self.teacher is not None:
            self.teacher.to(self.device).eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return next(self.student.parameters()).device

    # -- training ------------------------------------------------------------------------------------------

    def set_progress(self, progress: Progress) -> None:
        """How far the training is; what the method's next `forward` is told."""
        self.progress = progress

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """The losses of a batch as mmcv collates it: the detector's own and the method's."""
        data = batches.to_device(data, self.device)
        taps = self.method.taps()
        if not taps:
            return dict(self.student(return_loss=True, **data))
        with tapping.capture(
            self.student, taps, loss_pass=taps.assigned or taps.roi_logits in ("student", "both")
        ) as caught:
            losses = dict(self.student(return_loss=True, **data))
        with self.stream.active(self.device):
            added = self._distil(data, taps, caught)
        for name, value in added.items():
            if name in losses or "loss" not in name:
                raise ValueError(f"method {self.method.name}: term {name!r} must contain 'loss' and be a new name")
            losses[name] = value.float()
        return losses

    def train_step(self, data: dict[str, Any], optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        """One step of mmcv's runner: `loss` to differentiate, `log_vars` of floats, `num_samples`."""
        return outputs(self(data), data)

    def _distil(self, data: dict[str, Any], taps: Taps, student: tapping.Captured) -> dict[str, Tensor]:
        batch = labels_of(data, masks=taps.masks)
        if taps.assigned:
            batch.assigned = tapping.assigned(student.targets)
        if taps.head_losses:
            batch.head_losses = HeadLosses(self.student, data)
        teacher = Features()
        with self._autocast():
            if self.teacher is not None:
                teacher = self._teacher_features(data["img"], taps)
            if self.roi_source is not None:
                batch.roi_logits = self.roi_source.logits(
                    student.roi, student.features.neck, teacher.neck, batch, data["img_metas"]
                )
            return dict(self.method(student.features, teacher, batch, self.progress))

    @torch.no_grad()
    def _teacher_features(self, image: Tensor, taps: Taps) -> Features:
        assert self.teacher is not None
        teacher: Any = self.teacher
        with tapping.capture(teacher, taps) as caught:
            if taps.dense:
                teacher.bbox_head(teacher.extract_feat(image))
            elif taps.neck or taps.roi_logits:
                teacher.extract_feat(image)
            else:
                teacher.backbone(image)
        return caught.features

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=self.autocast_dtype) if self.autocast_dtype else nullcontext()

    # -- state ---------------------------------------------------------------------------------------------

    def student_state(self) -> dict[str, Tensor]:
        """The student's weights alone."""
        return dict(self.student.state_dict())

    def rng_state(self) -> dict[str, Any]:
        """The distillation's random stream as plain tensors and numbers."""
        return self.stream.state_dict()

    def set_rng_state(self, state: dict[str, Any]) -> None:
        """Restore what `rng_state` gave."""
        self.stream.load_state_dict(state)


class DistributedDistiller(DistributedDataParallel):
    """A distiller in DistributedDataParallel; its `train_step` goes through DDP's own forward.

    Example:
        >>> model = DistributedDistiller(distiller, device_ids=[0], broadcast_buffers=False)
    """

    def train_step(self, data: dict[str, Any], optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        return outputs(self(data), data)


def outputs(losses: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Losses as what mmcv's runner wants of a step."""
    loss, log_vars = terms.total(losses)
    return {"loss": loss, "log_vars": log_vars, "num_samples": batches.count(data)}


def _rank() -> int:
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0
