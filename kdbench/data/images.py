"""The size of an image file, where the annotations do not tell it."""

from __future__ import annotations

from pathlib import Path

from kdbench.errors import InputError

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)
"""EXIF orientations that lay an image on its side."""


def image_size(file: Path) -> tuple[int, int]:
    """Width and height in pixels, as mmcv will load the image (turned as its EXIF data says).

    Only the file's header is read; a format that Pillow does not know is decoded.

    Raises:
        InputError: the file is no image.
    """
    from PIL import Image

    try:
        with Image.open(file) as image:
            # A PNG's EXIF data is looked for before the pixels only: the rest would have to be decoded.
            known = image.format != "PNG" or "exif" in image.info
            turned = known and image.getexif().get(ORIENTATION) in TURNED
            return (image.height, image.width) if turned else (image.width, image.height)
    except Exception:  # a damaged header can raise nearly anything
        return _decoded(file)


def _decoded(file: Path) -> tuple[int, int]:
    import cv2

    image = cv2.imread(str(file))
    if image is None:
        raise InputError(f"{file}: is not an image that can be read; restore the file")
    return int(image.shape[1]), int(image.shape[0])
