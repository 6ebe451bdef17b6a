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
        if _is_pose(shares):
            raw.tell(
                "posed", image.file, label, f"{(len(shares) - 4) // 3} keypoints: only the box before them is taken"
            )
            shares = shares[:4]
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


def _is_pose(shares: list[float]) -> bool:
    """Whether a box is followed by keypoints with what is seen of each: 0, 1 or 2.

    A polygon has no three such numbers in these places; of fewer keypoints, all that are seen lie in their box too.
    """
    if len(shares) < 7 or (len(shares) - 4) % 3 or not all(seen in (0, 1, 2) for seen in shares[6::3]):
        return False
    points = [shares[place : place + 2] for place in range(4, len(shares), 3) if shares[place + 2]]
    return len(shares) >= 4 + 3 * 3 or all(_inside(shares, *point) for point in points)


def looks_like_pose(shares: list[float]) -> bool:
    """Whether what was read as a polygon may be a box and keypoints: each lies in that box."""
    return all(_inside(shares, *shares[place : place + 2]) for place in range(4, len(shares), 2))


def _inside(box: list[float], x: float, y: float) -> bool:
    return abs(x - box[0]) <= box[2] / 2 and abs(y - box[1]) <= box[3] / 2


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
