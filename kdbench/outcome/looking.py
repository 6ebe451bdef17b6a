"""What detectors see in single images: their detections, and the ground truth, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.data import Prepared
from kdbench.data.images import Unreadable, read
from kdbench.specs.recipe import Recipe
from kdbench.specs.training import ModelSpec

SPLITS = {"search": "val", "report": "test"}


@dataclass(frozen=True)
class Truth:
    """An image with its annotations.

    Shapes: boxes (n, 4) and ignored (m, 4), corners in pixels of the image file; labels (n,).

    Attributes:
        size: width and height of the image as the boxes count.
        stored: its pixels are used as they lie in the file, EXIF data left alone.
    """

    file: Path
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    ignored: NDArray[np.float32]
    size: tuple[int, int] = (1, 1)
    stored: bool = False

    def pixels(self) -> NDArray[np.uint8]:
        """The image as it was trained on, (H, W, 3), red first; grey where it cannot be read any more."""
        try:
            return read(self.file, stored=self.stored).pixels[..., ::-1]
        except Unreadable:
            return np.full((self.size[1], self.size[0], 3), 127, dtype=np.uint8)


def ground_truth(recipe: Recipe, data: Prepared, split: str, indices: Sequence[int] | None = None) -> list[Truth]:
    """The images of a split with their annotations; all of them, or those of the indices."""
    dataset = _dataset(recipe, data, split)
    chosen = range(len(dataset)) if indices is None else indices
    found = []
    for index in chosen:
        marks = dataset.get_ann_info(index)
        info = dataset.data_infos[index]
        file = Path(dataset.img_prefix) / info["filename"]
        stored = data.unturned or bool((info.get("load") or {}).get("stored"))
        size = (info["width"], info["height"])
        found.append(Truth(file, marks["bboxes"], marks["labels"], marks["bboxes_ignore"], size, stored))
    return found


def detections(
    recipe: Recipe, data: Prepared, weights: Path, split: str, indices: Sequence[int], *, teacher: bool = False
) -> list[NDArray[np.float32]]:
    """What a trained detector finds in images of a split, on the CPU or the GPU, as it was evaluated.

    Shapes: (n, 6) an image: corners in pixels of the image file, score, class.

    Args:
        weights: of the recipe's student, or of its teacher.

    Raises:
        InputError: the weights cannot be read, or are not of this detector.
    """
    import torch
    from torch.utils.data import Subset

    from kdbench import ops

    ops.install()
    from kdbench.data.loaders import test_loader
    from kdbench.detectors import models
    from kdbench.detectors.weights import load_weights
    from kdbench.evaluation.scoring import predict
    from kdbench.training.config import mmdet_config

    if teacher and recipe.teacher is not None:
        spec = ModelSpec(config=recipe.teacher.config, set=recipe.teacher.set)
        recipe = recipe.model_copy(update={"student": spec})
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = models.build(mmdet_config(recipe, data).model, seed=0)
    load_weights(model, str(weights), classes=tuple(data.classes), what=str(weights))
    some: Any = Subset(_dataset(recipe, data, split), list(indices))
    results = predict(model.to(device), test_loader(some, 0, 0, 1), device)
    return [_flat(result[0] if isinstance(result, tuple) else result) for result in results]


def _dataset(recipe: Recipe, data: Prepared, split: str) -> Any:
    from kdbench import ops

    ops.install()
    from kdbench.data.loaders import build_dataset
    from kdbench.training.config import mmdet_config

    return build_dataset(mmdet_config(recipe, data).data[SPLITS[split]])


def _flat(by_class: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    parts = [np.column_stack([found, np.full(len(found), label)]) for label, found in enumerate(by_class)]
    return np.concatenate(parts).astype(np.float32)
