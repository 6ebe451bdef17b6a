"""What a file of weights is, by its name and bytes alone: no torch needed."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kdbench.errors import InputError

WEB = ("http://", "https://")
"""How addresses begin that weights are fetched from."""


def local_file(source: str, where: str) -> Path | None:
    """The file that weights are read from, given as a path or as `file://PATH`; None where they are to be fetched.

    Example:
        >>> local_file("file:///data/r%20101.pth", "--teacher")
        PosixPath('/data/r 101.pth')

    Raises:
        InputError: an address of another kind; begins with `where`.
    """
    if source.startswith(WEB):
        return None
    if source.startswith("file://"):
        return Path(unquote(urlsplit(source).path))
    if "://" in source:
        raise InputError(f"{where}: cannot be fetched from there; give a file, or an address that begins with https://")
    return Path(source)


def digest(path: str | Path) -> str:
    """The SHA-256 of a file, as hex.

    Raises:
        InputError: it cannot be read, or is no regular file: some of those have no end.
    """
    check_regular(Path(path), str(path))
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def check_regular(path: Path, where: str) -> None:
    """See that there is such a file, and that it is one.

    Raises:
        InputError: begins with `where`.
    """
    try:
        found = path.expanduser().stat().st_mode
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{where}: cannot be read ({why}); check the path") from None
    if not stat.S_ISREG(found):
        raise InputError(f"{where}: cannot be read (it is no regular file); give a file of weights")


def intact(path: Path) -> bool:
    """Whether the checksums of a torch archive hold: torch itself reads zeros in the middle of a tensor as weights.

    What is no archive (torch's older form) has none, and is left to torch.
    """
    if not zipfile.is_zipfile(path):
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False
