"""Statistics of the training annotations, for methods that draw imaginary objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kdbench.methods.base import BoxStatistics

if TYPE_CHECKING:
    from kdbench.data import Prepared


def box_statistics(data: Prepared) -> BoxStatistics:
    """Counts of the classes and mean and standard deviation of their boxes' sides, of the train split.

    Sides are shares of the image's width and height. Crowd boxes do not count.
    """
    import json

    content = json.loads(data.splits["train"].annotations.read_text(encoding="utf-8"))
    label = {category["id"]: data.classes.index(category["name"]) for category in content["categories"]}
    sides = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    boxes = [a for a in content["annotations"] if not a.get("iscrowd")]
    labels = torch.tensor([label[a["category_id"]] for a in boxes], dtype=torch.long)
    shares = torch.tensor(
        [[a["bbox"][2 + axis] / sides[a["image_id"]][axis] for axis in (0, 1)] for a in boxes], dtype=torch.float64
    ).reshape(-1, 2)
    counts = torch.bincount(labels, minlength=len(data.classes)).double()
    each = counts.clamp(min=1)[:, None]
    mean = torch.zeros(len(data.classes), 2, dtype=torch.float64).index_add_(0, labels, shares) / each
    squares = torch.zeros_like(mean).index_add_(0, labels, (shares - mean[labels]) ** 2)
    return BoxStatistics(counts.float(), mean.float(), (squares / each).sqrt().float())
