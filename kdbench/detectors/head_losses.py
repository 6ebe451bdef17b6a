"""A detector's own losses on maps that are not its FPN's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class HeadLosses:
    """Runs a detector's heads, as in training, on given maps with a batch's labels.

    One-stage: the dense head assigns its targets anew, which for heads that look at boxes and grids only gives those of
    the student's own pass. Two-stage: RPN, its proposals, RoI sampling and RoI losses, on these maps. Batch
    normalisation in the heads uses its running statistics and leaves them as they are, for the maps are not the FPN's.

    Args:
        data: an opened batch, as the detector's `forward_train` takes it.

    Example:
        >>> HeadLosses(student, data)(maps)
        {'loss_cls': tensor(1.1), 'loss_bbox': tensor(0.9)}
    """

    def __init__(self, detector: nn.Module, data: dict[str, Any]) -> None:
        self.detector: Any = detector
        self.data = data

    def __call__(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Shapes: maps[l] (N, C_l, H_l, W_l), as the neck's. Returns scalars by mmdet's names."""
        with _frozen_statistics(self.detector):
            found = self._two_stage(maps) if getattr(self.detector, "roi_head", None) is not None else self._dense(maps)
        return {name: _scalar(value) for name, value in found.items() if "loss" in name}

    def _dense(self, maps: Sequence[Tensor]) -> dict[str, Any]:
        d = self.data
        metas = _with_canvas(d)
        losses = self.detector.bbox_head.forward_train(
            tuple(maps), metas, d["gt_bboxes"], d["gt_labels"], d.get("gt_bboxes_ignore")
        )
        return dict(losses)

    def _two_stage(self, maps: Sequence[Tensor]) -> dict[str, Any]:
        d, model = self.data, self.detector
        metas, ignored = _with_canvas(d), d.get("gt_bboxes_ignore")
        cfg = model.train_cfg.get("rpn_proposal", model.test_cfg.rpn)
        losses, proposals = model.rpn_head.forward_train(
            tuple(maps), metas, d["gt_bboxes"], gt_labels=None, gt_bboxes_ignore=ignored, proposal_cfg=cfg
        )
        more = model.roi_head.forward_train(
            tuple(maps), metas, proposals, d["gt_bboxes"], d["gt_labels"], ignored, d.get("gt_masks")
        )
        return {**losses, **more}


def _with_canvas(data: dict[str, Any]) -> list[dict[str, Any]]:
    canvas = tuple(data["img"].shape[-2:])
    return [{**meta, "batch_input_shape": canvas} for meta in data["img_metas"]]


def _scalar(value: Any) -> Tensor:
    if isinstance(value, (list, tuple)):
        total: Tensor = sum(part.mean() for part in value)  # type: ignore[assignment]
        return total
    scalar: Tensor = value.mean()
    return scalar


@contextmanager
def _frozen_statistics(detector: Any) -> Iterator[None]:
    heads = [getattr(detector, name, None) for name in ("bbox_head", "rpn_head", "roi_head")]
    norms = [m for head in heads if head is not None for m in head.modules() if isinstance(m, _BatchNorm)]
    modes = [norm.training for norm in norms]
    try:
        for norm in norms:
            norm.eval()
        yield
    finally:
        for norm, mode in zip(norms, modes, strict=True):
            norm.train(mode)
