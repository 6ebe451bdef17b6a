"""Reading image files: the pixels that training, evaluation and pictures share, and the size from a header.

A whole file is decoded as mmdet does it, from its bytes. OpenCV 5 gives nothing then for a JPEG that ends early, though it
does when it reads the file itself: such an image is used as far as it goes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)
"""EXIF orientations that lay an image on its side."""
KNOWN = (
    (b"version https://git-lfs", "is a Git LFS pointer and not the image, fetch it with 'git lfs pull'"),
    (b"<!doctype html", "is an HTML page and not an image, fetch it again"),
    (b"<html", "is an HTML page and not an image, fetch it again"),
    (b"\xff\xd8", "is a JPEG that is cut or damaged"),
    (b"\x89png", "is a PNG that is cut or damaged"),
    (b"gif8", "is a GIF that is cut or damaged"),
    (b"bm", "is a BMP that is cut or damaged"),
    (b"ii*\0", "is a TIFF of a kind that OpenCV does not read (32-bit samples, say), or damaged"),
    (b"mm\0*", "is a TIFF of a kind that OpenCV does not read (32-bit samples, say), or damaged"),
)
"""How files begin that cannot be read, in lower case, and what they are then."""
TIFF = (b"II*\0", b"MM\0*")
HEIC = (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1")


class Unreadable(Exception):
    """An image that cannot be read; its text says what the file is instead."""


@dataclass(frozen=True)
class Picture:
    """An image as decoded.

    Shapes: pixels (H, W, 3), uint8, blue first.
    """

    pixels: NDArray[np.uint8]
    whole: bool = True
    """False where the file ends early."""


def read(file: str | Path, *, stored: bool = False, content: bytes | None = None) -> Picture:
    """An image of any kind that OpenCV knows as three 8-bit channels; the first frame of an animation.

    Args:
        stored: as the pixels lie in the file, though its EXIF data says that they are to be turned.
        content: the file's bytes, where they have been read.

    Raises:
        Unreadable: there is no image in the file, or not enough of it.
    """
    import cv2

    flag = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if stored else 0)
    try:
        content = Path(file).read_bytes() if content is None else content
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror})") from None
    if not content:
        raise Unreadable("is empty")
    pixels: Any = None
    with contextlib.suppress(cv2.error):
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    if pixels is not None:
        return Picture(_as_stored(pixels, content) if stored else pixels)
    with quiet(), contextlib.suppress(cv2.error):
        pixels = cv2.imread(os.fspath(file), flag)
    if pixels is None:
        raise Unreadable(_what_it_is(content))
    return Picture(pixels, whole=False)


def _as_stored(pixels: NDArray[np.uint8], content: bytes) -> NDArray[np.uint8]:
    """The pixels as they lie in the file: OpenCV turns a TIFF whatever it is asked for."""
    if not content.startswith(TIFF):
        return pixels
    turned = orientation(Path(), content)
    if turned in TURNED:
        pixels = pixels.transpose(1, 0, 2)
    # What is left of the turn after the sides are exchanged: upside down, mirrored, both.
    if turned in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if turned in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _what_it_is(content: bytes) -> str:
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not content[:4096].strip(b"\0"):
        return "holds nothing but zeros"
    if start[4:12].startswith(HEIC):
        return "is a HEIC image, which OpenCV does not read; convert it to JPEG"
    return next((words for head, words in KNOWN if start.startswith(head)), "is no image that OpenCV can read")


_redirecting = threading.Lock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the decoders' C libraries write about damaged files off stderr while the block runs.

    Threads may be in it together: those that come while it is quiet already have nothing to do.
    """
    if not _redirecting.acquire(blocking=False):
        yield
        return
    try:
        try:
            kept = os.dup(2)
        except OSError:  # the process has no stderr
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    finally:
        _redirecting.release()


def orientation(file: Path, content: bytes | None = None) -> int:
    """The orientation that EXIF data asks for, 1 to 8; 1 where there is none or it cannot be read."""
    from io import BytesIO

    from PIL import Image

    try:
        with Image.open(file if content is None else BytesIO(content)) as image:
            # A PNG's EXIF data is looked for before the pixels only: the rest would have to be decoded.
            if image.format == "PNG" and "exif" not in image.info:
                return 1
            value = image.getexif().get(ORIENTATION)
    except Exception:  # a damaged header can raise nearly anything
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def image_size(file: Path) -> tuple[int, int]:
    """Width and height in pixels, turned as EXIF data says; (0, 0) for what is no image.

    Only the file's header is read; a format that Pillow does not know is decoded.
    """
    from PIL import Image

    try:
        with Image.open(file) as image:
            width, height = image.size
            # A PNG's EXIF data is looked for before the pixels only: the rest would have to be decoded.
            known = image.format != "PNG" or "exif" in image.info
            turned = known and image.getexif().get(ORIENTATION) in TURNED
            return (height, width) if turned else (width, height)
    except Exception:  # a damaged header can raise nearly anything
        pass
    try:
        rows, columns = read(file).pixels.shape[:2]
    except Unreadable:
        return 0, 0
    return int(columns), int(rows)
