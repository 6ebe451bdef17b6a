"""Detections drawn side by side: one row an image, one column a model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TRUE, WRONG, IGNORED = "#009E73", "#D55E00", "#888888"
"""Colours that the colour-blind tell apart: ground truth and hits, false finds, what is not counted."""
INCHES = 3.0


@dataclass(frozen=True)
class Drawn:
    """A box to draw: corners in pixels, a label, its colour; dashed where it does not count."""

    corners: tuple[float, ...]
    label: str
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Column:
    """A model with its heading, and its boxes for each image."""

    title: str
    boxes: list[list[Drawn]] = field(default_factory=list)


def draw(names: Sequence[str], images: Sequence[NDArray[np.uint8]], columns: Sequence[Column], legend: str) -> bytes:
    """A PNG with every image once for each column. Small images are scaled up.

    Args:
        names: of the images, a row each.
        images: (H, W, 3), red first.
        legend: a line below the picture.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    tall = [image.shape[0] / image.shape[1] * INCHES for image in images]
    figure = Figure(figsize=(INCHES * len(columns), sum(tall) + 0.35 * len(names) + 0.5), dpi=120)
    axes = figure.subplots(len(names), len(columns), squeeze=False, gridspec_kw={"height_ratios": tall})
    for row, image in enumerate(images):
        for place, column in enumerate(columns):
            ax = axes[row][place]
            ax.imshow(image, interpolation="nearest" if max(image.shape) < 400 else "antialiased")
            ax.set_xticks([])
            ax.set_yticks([])
            if row == 0:
                ax.set_title(column.title, fontsize=9)
            if place == 0:
                ax.set_ylabel(names[row], fontsize=7)
            for box in column.boxes[row]:
                left, top, right, bottom = box.corners
                style = "--" if box.dashed else "-"
                ax.add_patch(
                    Rectangle((left, top), right - left, bottom - top, fill=False, ec=box.colour, ls=style, lw=1.4)
                )
                ax.text(
                    left,
                    top,
                    box.label,
                    fontsize=6,
                    color="white",
                    va="bottom",
                    bbox={"fc": box.colour, "ec": "none", "pad": 0.6},
                )
    figure.supxlabel(legend, fontsize=8)
    figure.tight_layout()
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
