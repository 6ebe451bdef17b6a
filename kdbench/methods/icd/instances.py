"""The objects that ICD asks the teacher about: the real ones, and fakes drawn to look like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from kdbench.methods.base import Batch, BoxStatistics
from kdbench.methods.icd.params import ICDParams
from kdbench.methods.shared.masks import on_device


@dataclass(frozen=True)
class Prior:
    """From which fakes are drawn.

    Shapes: shares (K,) cumulated frequencies of the classes, float64, the last is 1; mean, std (K, 2) of a class's
        width and height in shares of the image's.
    """

    shares: Tensor
    mean: Tensor
    std: Tensor

    def to(self, device: torch.device) -> Prior:
        return Prior(self.shares.to(device), self.mean.to(device), self.std.to(device))


def prior_of(statistics: BoxStatistics | None, num_classes: int) -> Prior:
    """The training annotations' classes and sides; without any, classes alike and sides of 0.2 with deviation 0.2."""
    if statistics is None or not bool(statistics.counts.sum() > 0):
        sides = torch.full((num_classes, 2), 0.2)
        counts, mean, std = torch.ones(num_classes), sides, sides
    else:
        counts, mean, std = statistics.counts, statistics.mean.float(), statistics.std.float()
    shares = counts.double().cumsum(0)
    return Prior(shares / shares[-1], mean, std)


@dataclass(frozen=True)
class Draws:
    """All that is random about a batch's descriptions.

    Shapes: labels (N, K) classes of the fakes; boxes (N, K, 4) their x1, y1, x2, y2 in shares of the image; jitter
        (N, K, 2) shift of each centre, the real ones' too, in shares of the box's width and height.
    """

    labels: Tensor
    boxes: Tensor
    jitter: Tensor


def draw(prior: Prior, images: int, slots: int, jitter: float) -> Draws:
    """A fake for each slot, and a shift for each.

    A class by its frequency; sides normal with the class's mean and deviation, within two deviations and
    [0.002, 0.7]; a centre uniform in the image, within [0.03, 0.97]; the box clipped to the image.
    """
    shape, device = (images, slots), prior.mean.device
    labels = torch.searchsorted(prior.shares, torch.rand(shape, dtype=torch.float64, device=device), right=True)
    spread = torch.randn((*shape, 2), device=device).clamp(-2, 2) * prior.std[labels]
    half = (prior.mean[labels] + spread).clamp(0.002, 0.7) / 2
    centre = torch.rand((*shape, 2), device=device).clamp(0.03, 0.97)
    boxes = torch.cat([centre - half, centre + half], dim=-1).clamp(0, 1)
    shift = (torch.rand((*shape, 2), device=device) * 2 - 1) * jitter
    return Draws(labels, boxes, shift)


@dataclass(frozen=True)
class Instances:
    """What is described; slots that are not `valid` are padding and hold 0. Real objects come first.

    Attributes:
        most_real: how many leading slots can be real ones.

    Shapes: labels (N, K); boxes (N, K, 4) and centres (N, K, 2) in shares of the image; real, valid (N, K) bool.
    """

    labels: Tensor
    boxes: Tensor
    centres: Tensor
    real: Tensor
    valid: Tensor
    most_real: int

    @property
    def sides(self) -> Tensor:
        """Distances from the centre to the box's left, top, right, bottom, (N, K, 4)."""
        return torch.cat([self.centres - self.boxes[..., :2], self.boxes[..., 2:] - self.centres], dim=-1)


def slots_of(objects: int, params: ICDParams) -> int:
    """How many descriptions, real and fake, an image with so many objects gets.

    Example:
        >>> slots_of(2, ICDParams()), slots_of(0, ICDParams()), slots_of(400, ICDParams())
        (12, 1, 400)
    """
    if params.sample_rule == "fixed":
        return max(params.num_labels, objects)
    return min(max(1, int(objects * (params.neg_ratio + 1))), max(params.max_labels, objects))


def at_most(batch: Batch, limit: int | None) -> tuple[list[Tensor], list[Tensor]]:
    """Boxes and labels of each image, of too many objects a random selection."""
    boxes, labels = list(batch.boxes), list(batch.labels)
    for image, (box, label) in enumerate(zip(boxes, labels, strict=True)):
        if limit is not None and len(box) > limit:
            chosen = torch.randperm(len(box), device=box.device)[:limit]
            boxes[image], labels[image] = box[chosen], label[chosen]
    return boxes, labels


def combine(
    boxes: Sequence[Tensor], labels: Sequence[Tensor], slots: Sequence[int], sizes: Tensor, draws: Draws
) -> Instances:
    """The real objects, then the fakes that fill each image's slots.

    A real box under one pixel wide or high would blow up the localisation: its slot becomes padding.

    Shapes: boxes per image (G, 4) in pixels, labels per image (G,); slots per image; sizes (N, 2) width, height.
    """
    most, width = max(slots), max(len(box) for box in boxes)
    counts = on_device([[len(box), slot] for box, slot in zip(boxes, slots, strict=True)], sizes.device)
    slot = torch.arange(most, device=sizes.device)
    is_object, valid = slot < counts[:, :1], slot < counts[:, 1:]
    objects = F.pad(pad_sequence([box.float() for box in boxes], batch_first=True), (0, 0, 0, most - width))
    classes = F.pad(pad_sequence(list(labels), batch_first=True), (0, most - width))
    too_small = ((objects[..., 2:] - objects[..., :2]) < 1).any(-1)
    valid = valid & ~(is_object & too_small)
    shares = torch.where(is_object[..., None], objects / sizes.repeat(1, 2)[:, None], draws.boxes) * valid[..., None]
    middle, extent = (shares[..., :2] + shares[..., 2:]) / 2, shares[..., 2:] - shares[..., :2]
    return Instances(
        labels=torch.where(is_object, classes, draws.labels) * valid,
        boxes=shares,
        centres=middle + draws.jitter * extent,
        real=is_object & valid,
        valid=valid,
        most_real=width,
    )
