"""mmdet's CocoDataset that an image costs no more than itself: what cannot be read in the middle of a training.

Ordinary images are loaded by mmdet's own transform, bit for bit as plain mmdet loads them. Those that preparation marked (they
end early, or their EXIF data is to be left alone) are read as preparation read them. Where an image cannot be read
after all, training takes the next one of the same shape, and evaluation gets a sample without an image: no detections.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmdet.datasets import CocoDataset
from mmdet.datasets.pipelines import LoadImageFromFile

from kdbench.data.batches import LOST
from kdbench.data.images import Unreadable, read
from kdbench.errors import RunError


class LoadImage(LoadImageFromFile):
    """mmdet's loading of an image, of damaged and turned ones too.

    Raises:
        Unreadable: the file is gone, is no image, or is another than when the data was prepared.
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        info = results["img_info"]
        how = info.get("load") or {}
        if how:
            picture = read(self._path(results), stored=bool(how.get("stored")) or "ignore" in self.color_type)
            loaded = self._filled(results, picture.pixels)
        else:
            try:
                loaded = super().__call__(results)
            except (OSError, cv2.error, AttributeError) as error:
                # What mmdet says of an image that is None says nothing to anybody: read it again to learn what it is.
                loaded = self._filled(results, self._otherwise(results, error))
        height, width = loaded["img"].shape[:2]
        if info.get("width") and (width, height) != (info["width"], info["height"]):
            raise Unreadable(f"has {width}x{height} pixels now, and had {info['width']}x{info['height']}")
        return loaded

    def _otherwise(self, results: dict[str, Any], error: Exception) -> np.ndarray:
        if isinstance(error, OSError):
            raise Unreadable(f"cannot be opened ({error.strerror or error})")
        return read(self._path(results), stored="ignore" in self.color_type).pixels

    def _filled(self, results: dict[str, Any], pixels: np.ndarray) -> dict[str, Any]:
        """What mmdet's transform puts beside the image."""
        image = pixels.astype(np.float32) if self.to_float32 else pixels
        results["filename"], results["ori_filename"] = self._path(results), results["img_info"]["filename"]
        results["img"], results["img_fields"] = image, ["img"]
        results["img_shape"] = results["ori_shape"] = image.shape
        return results

    @staticmethod
    def _path(results: dict[str, Any]) -> str:
        return os.path.join(results["img_prefix"] or "", results["img_info"]["filename"])


class EnduringCocoDataset(CocoDataset):
    """CocoDataset with its images loaded by `LoadImage`.

    Args:
        log: a file that lost images are told in, beside stderr; None is none.
    """

    def __init__(self, *args: Any, pipeline: list[dict[str, Any]], log: Path | None = None, **options: Any) -> None:
        ours = [
            {**step, "type": LoadImage} if step.get("type") == "LoadImageFromFile" else dict(step) for step in pipeline
        ]
        super().__init__(*args, pipeline=ours, **options)
        self.log = log
        # Shared with the loader's processes, which end with each epoch: an image is told of once.
        self.told = torch.zeros(max(1, len(self)), dtype=torch.uint8)
        with contextlib.suppress(RuntimeError):  # no shared memory here: each process tells for itself
            self.told.share_memory_()

    def __getitem__(self, idx: int) -> Any:
        if self.test_mode:
            try:
                return self.prepare_test_img(idx)
            except Unreadable as reason:
                self._tell(idx, reason, "it counts as an image without detections")
                return {LOST: len(self.CLASSES)}
        while True:
            idx, sample = self._readable(idx)
            if sample is not None:
                return sample
            # A transform left nothing of it: mmdet's own way out.
            idx = self._rand_another(idx)

    def _readable(self, idx: int) -> tuple[int, Any]:
        """The training sample of an image, or of the first after it that can be read, and whose it is.

        Raises:
            RunError: none can.
        """
        for candidate in self._from(idx):
            try:
                return candidate, self.prepare_train_img(candidate)
            except Unreadable as reason:
                self._tell(candidate, reason, "training takes another in its place")
        raise RunError(f"{self.img_prefix}: no training image can be read any more; see that the data is there")

    def _from(self, idx: int) -> Iterator[int]:
        """An image, then those after it of the same shape, then all others: a function of nothing but the data."""
        same = np.flatnonzero(self.flag == self.flag[idx])
        place = int(np.searchsorted(same, idx))
        yield from (int(one) for one in np.roll(same, -place))
        yield from (int(one) for one in np.flatnonzero(self.flag != self.flag[idx]))

    def _tell(self, idx: int, reason: Unreadable, what: str) -> None:
        if self.told[idx]:
            return
        self.told[idx] = 1
        file = os.path.join(self.img_prefix or "", self.data_infos[idx]["filename"])
        line = f"{file}: {reason}; {what}"
        print(line, file=sys.stderr, flush=True)
        if self.log is not None:
            with open(self.log, "a", encoding="utf-8", errors="replace") as log:
                log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} WARNING {line}\n")
