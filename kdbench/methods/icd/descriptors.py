"""An instance as a vector: its class, its blurred position and its coarse size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kdbench.methods.icd.instances import Instances
from kdbench.methods.icd.positions import frequencies

PER_AXIS = 128
BINS = 5


def width_of(num_classes: int, add_scale: bool) -> int:
    """The length of a descriptor.

    Example:
        >>> width_of(80, True)
        346
    """
    return num_classes + 2 * PER_AXIS + (2 * BINS if add_scale else 0)


@torch.no_grad()
def descriptors(instances: Instances, sizes: Tensor, num_classes: int, add_scale: bool) -> Tensor:
    """Class one-hot, sine code of the centre, and with `add_scale` the code of width and height.

    Shapes: sizes (N, 2) width and height of the images in pixels -> (N, K, C), float32, C as `width_of`.
    """
    classes = torch.arange(num_classes, device=sizes.device)
    parts = [(instances.labels[..., None] == classes).float(), centre_code(instances.centres)]
    if add_scale:
        parts.append(scale_code(instances, sizes))
    return torch.cat(parts, dim=-1)


def centre_code(centres: Tensor) -> Tensor:
    """For x, then for y: the sines of 64 angles, then the cosines of the same.

    Shapes: (N, K, 2) in shares of the image -> (N, K, 256).
    """
    angle = (centres * (2 * math.pi))[..., None] / frequencies(PER_AXIS, centres.device)[::2]
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def scale_code(instances: Instances, sizes: Tensor) -> Tensor:
    """The bin of the width, then that of the height: floor(clamp(1.44 ln(pixels) - 5, 0, 4)), one-hot; padding is 0.

    Shapes: sizes (N, 2) width and height of the images in pixels -> (N, K, 10).
    """
    extent = instances.boxes[..., 2:] - instances.boxes[..., :2]
    pixels = (extent * sizes[:, None]).clamp(min=1e-6)
    found = (pixels.log() * 1.44 - 5).clamp(0, BINS - 1).long()
    code = found[..., None] == torch.arange(BINS, device=sizes.device)
    return code.flatten(-2).float() * instances.valid[..., None]
