"""Files by the names that annotations give them: as written, or by their tail where that is unique.

Annotations were often written on another machine, from another folder, or by a tool with habits of its own:
backslashes, `%20`, absolute paths, a leading folder that the image folder has already, another case, no suffix.
A folder is listed once; no file is asked for on its own, so a million names cost a million look-ups in a table.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "jp2", "png", "bmp", "dib", "webp", "avif", "gif", "tif", "tiff"),
        *("pbm", "pgm", "ppm", "pnm", "pxm", "sr", "ras", "exr", "hdr", "pic"),
    )
)
"""What OpenCV's decoder reads, whatever the case."""
LEVELS = 3
"""How far above the image folder a name may begin."""
QUERY = re.compile(r"^[^?]*\?d=")
"""Label Studio's way to name a local file: /data/local-files/?d=FILE."""
SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")
DRIVE = re.compile(r"^[a-zA-Z]:[/\\]")


class NotFound(ValueError):
    """A name that must not be guessed: several files fit, or it leaves the folder. The text says which."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file relative to its folder, and how its name was mended (empty: it is as written)."""

    file: str
    mended: str = ""


class Files:
    """The files of a folder.

    Example:
        >>> Files(Path("images")).find("C:\\\\photos\\\\a\\\\cat.JPG")
        Found(file='a/cat.jpg', mended='found by its tail')
    """

    def __init__(self, folder: Path, suffixes: frozenset[str] = IMAGE_SUFFIXES, beside: Path | None = None) -> None:
        self.folder, self.suffixes = folder, suffixes
        self._beside = beside
        # Lists name images; what is looked for by them in a folder of XML lies elsewhere than they say.
        self._of_images = suffixes == IMAGE_SUFFIXES
        self._names: dict[str, frozenset[str]] = {}
        self._stems: dict[str, dict[str, list[str]]] = {}
        self._tails: dict[str, list[str]] | None = None

    def find(self, name: str) -> Found | None:
        """The file of a name; None where there is none.

        Raises:
            NotFound: several files fit, or it lies outside of the folder.
        """
        file = self.exact(name)
        if file is not None:
            return Found(file)
        for spelling in _spellings(name):
            if (file := self.exact(spelling) or self._from_beside(spelling) or self._from_above(spelling)) is not None:
                return Found(file, "found by another spelling of its name")
            self._refuse_outside(spelling, name)
        fitting = {file for spelling in _spellings(name) for file in self._by_tail(spelling)}
        if len(fitting) > 1:
            shown = " and ".join(repr(file) for file in sorted(fitting)[:2])
            raise NotFound(f"{name!r} may be {shown} in {self.folder}; write the whole path in the annotations")
        return Found(fitting.pop(), "found by its tail") if fitting else None

    def of_stem(self, name: str, preferred: str = "") -> Found | None:
        """The file of a name without its suffix; of several, the one that `preferred` names.

        Raises:
            NotFound: several files fit, or it lies outside of the folder.
        """
        path = posixpath.normpath(name.replace("\\", "/"))
        head, _, stem = path.rpartition("/")
        if not path.startswith(("/", "../")):
            fitting = self._of_folder(head).get(stem, [])
            if len(fitting) > 1 and (last := _last(preferred)) in fitting:
                fitting = [last]
            if len(fitting) > 1:
                raise NotFound(f"{name!r} may be {fitting[0]!r} and {fitting[1]!r} in {self.folder}; remove one")
            if fitting:
                return Found(posixpath.join(head, fitting[0]))
        return self.find(name)

    def exact(self, name: str) -> str | None:
        """The path inside the folder, when the name is one; it is not looked for anywhere else."""
        if not name or "\0" in name:
            return None
        path = posixpath.normpath(name)
        if path.startswith("/"):
            root = f"{self.folder.as_posix()}/"
            if not path.startswith(root):
                return None
            path = path[len(root) :]
        if path.startswith("../"):
            return None
        head, _, last = path.rpartition("/")
        return path if last in self._listing(head) else None

    def all(self) -> list[str]:
        """Every file with one of the suffixes, in the folder and below it, sorted."""
        return sorted(file for files in self._index().values() for file in files)

    def _listing(self, head: str) -> frozenset[str]:
        """Names of the files in a folder, which is read once."""
        if head not in self._names:
            self._names[head] = frozenset(_scan(os.path.join(self.folder, head))[0])
        return self._names[head]

    def _of_folder(self, head: str) -> dict[str, list[str]]:
        if head not in self._stems:
            stems: dict[str, list[str]] = defaultdict(list)
            for name in sorted(self._listing(head)):
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in self.suffixes:
                    stems[stem].append(name)
            self._stems[head] = stems
        return self._stems[head]

    def _from_beside(self, path: str) -> str | None:
        """Some converters write names relative to the annotation file."""
        if self._beside is None or not path.startswith("."):
            return None
        return self.exact(posixpath.join(self._beside.as_posix(), path))

    def _from_above(self, path: str) -> str | None:
        """A name that begins with folders which lead to this one, or beside it: val/a.jpg is no file of train/."""
        if "/" not in path or path.startswith(("/", "../")) or "\0" in path:
            return None
        for above in self.folder.parents[:LEVELS]:
            own = f"{self.folder.relative_to(above).as_posix()}/"
            if path.startswith(own):
                return self.exact(path[len(own) :])
            if self._of_images and os.path.isfile(above / path):
                raise NotFound(_outside(path, self.folder))
        return None

    def _refuse_outside(self, path: str, name: str) -> None:
        """A name that leads to a file elsewhere means that file; one of another machine leads nowhere."""
        leaves = path.startswith("/") or posixpath.normpath(path).startswith("../")
        if self._of_images and leaves and os.path.isfile(os.path.join(self.folder, path)):
            raise NotFound(_outside(name, self.folder))

    def _by_tail(self, path: str) -> list[str]:
        parts = _parts(path)
        if not parts:
            return []
        stem, suffix = os.path.splitext(parts[-1])
        bare = suffix not in self.suffixes
        whole: list[str] = []
        inside: list[tuple[int, str]] = []
        below: list[str] = []
        for file in self._index().get(parts[-1] if bare else stem, ()):
            own = [_plain(part) for part in file.split("/")]
            if bare:
                own[-1] = os.path.splitext(own[-1])[0]
            if own == parts:
                whole.append(file)
            elif own == parts[-len(own) :]:
                inside.append((len(own), file))
            elif parts == own[-len(parts) :]:
                below.append(file)
        # Of a/b/c.jpg, b/c.jpg fits better than c.jpg; a name that is but part of a path says nothing of the rest.
        best = max((length for length, _ in inside), default=0)
        fitting = whole or [file for length, file in inside if length == best] + below
        same = [file for file in fitting if f"/{path}".endswith(f"/{file}") or f"/{file}".endswith(f"/{path}")]
        return same if len(same) == 1 else fitting

    def _index(self) -> dict[str, list[str]]:
        """Files with one of the suffixes, below the folder too, by their plain name without it."""
        if self._tails is None:
            self._tails = defaultdict(list)
            for file in sorted(_walk(self.folder)):
                stem, suffix = os.path.splitext(posixpath.basename(file))
                if suffix.lower() in self.suffixes and not stem.startswith("."):
                    self._tails[_plain(stem)].append(file)
        return self._tails


def may_be_one(one: str, two: str) -> bool:
    """Whether two names can mean one file: the shorter is the end of the longer. train/a.jpg and val/a.jpg cannot."""
    first, second = (_parts(_spellings(name)[-1]) for name in (one, two))
    for parts in (first, second):
        stem, suffix = os.path.splitext(parts[-1]) if parts else ("", "")
        parts[-1:] = [stem if suffix in IMAGE_SUFFIXES else stem + suffix]
    length = min(len(first), len(second))
    return first[-length:] == second[-length:]


def _parts(path: str) -> list[str]:
    return [_plain(part) for part in path.split("/") if part not in ("", ".", "..")]


def _outside(name: str, folder: Path) -> str:
    return f"{name!r} lies outside of the image folder {folder}; set 'images' to a folder that holds all images"


def _spellings(name: str) -> list[str]:
    """The names that may be meant: with slashes, without a scheme or query, with `%20` read as a blank."""
    slashes = name.strip().replace("\\", "/")
    plain = SCHEME.sub("/", QUERY.sub("", slashes))
    if SCHEME.match(slashes):
        plain = plain.partition("?")[0]
    return list(dict.fromkeys((slashes, plain, unquote(plain))))


def _plain(text: str) -> str:
    """Text in which case and the two ways to write an accent make no difference."""
    return unicodedata.normalize("NFC", text).casefold()


def _last(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _scan(folder: str) -> tuple[list[str], list[str]]:
    """Names of the files and of the folders in a folder. A link that leads nowhere is neither, as a pipe is."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    files.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
    except (OSError, ValueError):
        pass
    return files, folders


def _walk(folder: Path) -> Iterator[str]:
    """Every file below a folder, through links too; a link that leads back is followed once."""
    seen: set[str] = set()
    heads = [""]
    while heads:
        head = heads.pop()
        real = os.path.realpath(os.path.join(folder, head))
        if real in seen:
            continue
        seen.add(real)
        files, folders = _scan(real)
        heads += [posixpath.join(head, name) for name in sorted(folders, reverse=True)]
        yield from (posixpath.join(head, name) for name in files)
