"""One label file in YOLO's format."""

from __future__ import annotations

from pathlib import Path

from kdbench.data.raw import Box, Image, RawSplit
from kdbench.data.reading.text import decode
from kdbench.data.reading.values import number
from kdbench.errors import InputError

MOST = 1.5
"""A share above this is a number of pixels; a little over 1 is a box that leaves its image."""


def read_labels(path: Path, image: Image, classes: tuple[str, ...], raw: RawSplit) -> set[int]:
    """Hang the boxes of a label file on its image; the class numbers that the file has.

    Raises:
        InputError: a line is no label; names it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    numbers: set[int] = set()
    seen: set[str] = set()
    for place, line in enumerate(decode(data, path).splitlines(), 1):
        parts = _parts(line)
        if not parts:
            continue
        where, label = f"{path}: line {place}", f"line {place}"
        if (line := " ".join(parts)) in seen:
            raw.tell("twice", image.file, label, "given twice: kept once")
            continue
        seen.add(line)
        name, index = _class(parts[0], classes, where)
        if index is not None:
            numbers.add(index)
        shares = [number(part) for part in parts[1:]]
        if any(abs(share) > MOST for share in shares):
            raw.tell("unshared", image.file, label, "numbers above 1 are no shares of the image: dropped")
            continue
        image.boxes.append(_box(shares, name, label, where))
    return numbers


def _parts(line: str) -> list[str]:
    parts = line.replace(";", " ").split()
    if len(parts) == 1 and line.count(",") >= 4:
        parts = line.split(",")
    return [part.strip().strip(",") for part in parts]


def _class(text: str, classes: tuple[str, ...], where: str) -> tuple[str, int | None]:
    """The class and its number; a number that is none of a class keeps a name that no class has."""
    found = number(text)
    if found == found and found.is_integer() and found >= 0:
        index = int(found)
        return (classes[index] if index < len(classes) else f"number {index}"), index
    if text in classes:
        return text, None
    raise InputError(f"{where}: begins with {text!r:.40}, which is no class number; a line is a class number and a box")


def _box(shares: list[float], name: str, label: str, where: str) -> Box:
    if len(shares) == 4:
        x, y, width, height = shares
        return Box((x - width / 2, y - height / 2, x + width / 2, y + height / 2), name, label=label)
    if len(shares) >= 6 and len(shares) % 2 == 0:
        across, down = shares[::2], shares[1::2]
        return Box((min(across), min(down), max(across), max(down)), name, segmentation=[shares], label=label)
    if len(shares) == 5:
        raise InputError(f"{where}: has a sixth number, as detections have; give labels without confidence")
    raise InputError(
        f"{where}: has {len(shares) + 1} numbers; a line is a class number and x, y, width, height or a polygon"
    )
