"""What image files are like: each is opened once, and the finding is kept by the file's size and time.

The findings lie in the storage's `datasets` folder, one file for each data root, so that other annotations or other
splits of the same images open nothing again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from kdbench.data import images
from kdbench.specs.base import content_hash

VERSION = 2
MANY = 20_000
"""So many images or more that are not known yet are judged by header and end; only odd ones are decoded whole."""
LARGEST = 2**30
"""Bytes of a file that is read at all: a video or an archive may be listed by mistake."""
SHOWN_FROM = 200
"""So many images or more to look at have a progress bar."""


@dataclass(frozen=True)
class Finding:
    """An image file.

    Attributes:
        width, height: in pixels as the image is displayed, turned as its EXIF data says; 0 where it cannot be read.
        stored_width, stored_height: as the pixels lie in the file.
        orientation: EXIF's, 1 where the image is displayed as it lies.
        cut: it ends early, and is used as far as it goes.
        problem: what the file is, where it cannot be read.
        digest: of the bytes; "" where they were not read.
    """

    width: int = 0
    height: int = 0
    stored_width: int = 0
    stored_height: int = 0
    orientation: int = 1
    cut: bool = False
    problem: str = ""
    digest: str = ""


def look(files: Iterable[Path], datasets: Path, root: Path) -> dict[Path, Finding]:
    """The finding of each file, from the store where the file has not changed since.

    Args:
        datasets: the storage's folder of datasets.
        root: the data root, whose findings are kept together.
    """
    files = list(dict.fromkeys(files))
    store = datasets / f".images-{content_hash(str(root))}.json"
    known = _stored(store)
    stamps = {file: stamp(file) for file in files}
    found: dict[Path, Finding] = {}
    for file in files:
        entry = _recalled(known.get(str(file)), stamps[file])
        if entry is not None:
            found[file] = entry
    left = [file for file in files if file not in found]
    if left:
        fresh: dict[Path, Finding] = {}
        try:
            _look_at(left, find_by_header if len(left) >= MANY else find, fresh)
        finally:  # what was looked at before an interruption need not be again
            _store(store, {str(f): [*mark, *astuple(fresh[f])] for f in fresh if (mark := stamps[f]) is not None})
        found |= fresh
    return {file: found[file] for file in files}


def stamp(file: Path) -> list[int] | None:
    """Size and time of a file, by which it is known again; None where it is gone or may not be read."""
    try:
        state = file.stat()
        if not os.access(file, os.R_OK):
            return None
    except (OSError, ValueError):
        return None
    return [state.st_size, state.st_mtime_ns]


def find(file: Path) -> Finding:
    """Decode a file as training will."""
    try:
        if file.stat().st_size > LARGEST:
            return Finding(problem="is larger than 1 GiB, which no image to train on is")
        content = file.read_bytes()
    except OSError as error:
        return Finding(problem=f"cannot be opened ({error.strerror})")
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    orientation = images.orientation(file, content)
    try:
        picture = images.read(file, content=content)
        lying = images.read(file, stored=True, content=content) if orientation != 1 else picture
    except images.Unreadable as error:
        return Finding(problem=str(error), digest=digest)
    height, width = picture.pixels.shape[:2]
    stored_height, stored_width = lying.pixels.shape[:2]
    return Finding(width, height, stored_width, stored_height, orientation, not picture.whole, digest=digest)


def find_by_header(file: Path) -> Finding:
    """Judge an upright JPEG or PNG by its header and its end; decode anything else."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            plain = image.format in ("JPEG", "PNG") and images.orientation(file) == 1
            width, height = image.size
        with open(file, "rb") as content:
            content.seek(-16, os.SEEK_END)
            end = content.read()
    except Exception:  # a damaged header can raise nearly anything
        return find(file)
    whole = b"\xff\xd9" in end or b"IEND" in end
    return Finding(width, height, width, height) if plain and whole else find(file)


def _look_at(files: list[Path], how: Callable[[Path], Finding], found: dict[Path, Finding]) -> None:
    """Put the finding of each file into `found`, several at once: decoding leaves Python's lock alone."""
    workers = min(32, len(files), 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 8)
    with _progress(len(files)) as tell, images.quiet(), ThreadPoolExecutor(workers) as pool:
        try:
            for file, finding in zip(files, pool.map(how, files), strict=True):
                found[file] = finding
                tell()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, for many files: on a handle of its own, since the decoders' is kept quiet."""
    if total < SHOWN_FROM:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    out = sys.stderr
    try:
        if sys.stderr.fileno() == 2:
            out = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):  # stderr is no file here
        pass
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(file=out)) as bar:
            task = bar.add_task("looking at the images", total=total)
            yield lambda: bar.advance(task)
    finally:
        if out is not sys.stderr:
            out.close()


def _stored(store: Path) -> dict[str, list]:
    try:
        content = json.loads(store.read_text(encoding="utf-8"))
        known = content["images"] if content["version"] == VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):  # it can always be made again
        return {}
    return known if isinstance(known, dict) else {}


def _recalled(entry: Any, mark: list[int] | None) -> Finding | None:
    """What is kept of a file, if the file is as it was."""
    if mark is None or not isinstance(entry, list) or entry[:2] != mark:
        return None
    try:
        return Finding(*entry[2:])
    except TypeError:
        return None


def _store(store: Path, fresh: dict[str, list]) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{store}.lock"):
        content = {"version": VERSION, "images": {**_stored(store), **fresh}}
        handle, name = tempfile.mkstemp(prefix=store.name, dir=store.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
            os.replace(name, store)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
