"""Text files in the encodings that tools write, with or without a byte-order mark."""

from __future__ import annotations

import codecs
from pathlib import Path

from kdbench.errors import InputError

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks; UTF-32's begins with UTF-16's, so it is looked for first."""
OTHERS = (
    (b"version https://git-lfs", "is a pointer of Git LFS and not the file; fetch it with `git lfs pull`"),
    (b"<!doctype html", "is an HTML page and not the file; download it again"),
    (b"<html", "is an HTML page and not the file; download it again"),
    (b"\x1f\x8b", "is packed with gzip; unpack it"),
    (b"PK\x03\x04", "is a ZIP archive; unpack it"),
)
"""What lies in a file's place when a download went wrong, by its first bytes."""


def read_bytes(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        InputError: it cannot be read, is empty, or is something else than an annotation file.
    """
    if not path.is_file():
        raise InputError(f"{path}: is not a file; check the path")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    start = data[:64].lstrip().lower()
    if not start:
        raise InputError(f"{path}: is empty; restore the file")
    for magic, words in OTHERS:
        if start.startswith(magic.lower()):
            raise InputError(f"{path}: {words}")
    return data


def marked(data: bytes) -> str | None:
    """The encoding that the first bytes tell: by their mark, or by UTF-16's zeros between ASCII letters."""
    for mark, name in MARKS:
        if data.startswith(mark):
            return name
    if len(data) >= 4 and data[0] and not data[1] and data[2] and not data[3]:
        return "utf-16-le"
    if len(data) >= 4 and not data[0] and data[1] and not data[2] and data[3]:
        return "utf-16-be"
    return None


def decode(data: bytes, path: Path) -> str:
    """Text in UTF-8, or in what its mark says.

    Raises:
        InputError: it is not; names the line.
    """
    encoding = marked(data) or "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = encoding.removesuffix("-sig").upper()
        raise InputError(f"{path}: line {line}: is not {name} text; save the file as UTF-8") from None


def lines_of_names(path: Path) -> list[str]:
    """Lines of a list of files, without blanks around them and without empty ones.

    Names need not be UTF-8: they go through to the file system as they are.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    encoding = marked(data)
    text = decode(data, path) if encoding not in (None, "utf-8-sig") else data.decode("utf-8-sig", "surrogateescape")
    return [line.strip() for line in text.splitlines() if line.strip()]
