"""The size of an image file, where the annotations do not tell it."""

from __future__ import annotations

from pathlib import Path

from kdbench.errors import InputError


def image_size(file: Path) -> tuple[int, int]:
    """Width and height in pixels, as mmcv will load the image (turned as its EXIF data says).

    Raises:
        InputError: the file is no image.
    """
    import cv2

    image = cv2.imread(str(file))
    if image is None:
        raise InputError(f"{file}: is not an image that can be read; restore the file")
    return int(image.shape[1]), int(image.shape[0])
