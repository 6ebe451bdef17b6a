"""Which FPN levels a method compares, and whether both detectors have them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from torch import Tensor

from kdbench.errors import InputError
from kdbench.methods.base import DetectorInfo


def _distinct(given: Any) -> Any:
    if given in ("all", "first_4"):
        return given
    known = isinstance(given, (list, tuple)) and given and all(type(level) is int and level >= 0 for level in given)
    if not known or len(set(given)) != len(given):
        raise ValueError("give all, first_4, or different levels counted from 0 = finest, e.g. [0, 1, 2]")
    return tuple(given)


Levels = Annotated[Literal["all", "first_4"] | tuple[int, ...], BeforeValidator(_distinct)]
"""Every level, the (at most) four finest, or these: 0 is the finest."""


def chosen(levels: Literal["all", "first_4"] | tuple[int, ...], info: DetectorInfo) -> tuple[int, ...]:
    """The indices of the chosen levels of a detector.

    Example:
        >>> chosen("first_4", DetectorInfo("one_stage", 3, (16,) * 5, (8, 16, 32, 64, 128), (16, 32, 64, 128)))
        (0, 1, 2, 3)
    """
    if isinstance(levels, tuple):
        return levels
    count = len(info.neck_channels)
    return tuple(range(count if levels == "all" else min(4, count)))


def check_levels(
    method: str,
    levels: Literal["all", "first_4"] | tuple[int, ...] | None,
    weight: str,
    student: DetectorInfo,
    teacher: DetectorInfo,
    *,
    same_strides: bool = True,
) -> None:
    """Refuse levels that one of the detectors has not or, with `same_strides`, whose maps differ in size.

    Args:
        levels: what the method's parameter of that name says; None where it has none and pairs every level.
        weight: the parameters that switch the method off, for the message.

    Raises:
        InputError: with the reason and the alternatives.
    """
    counts = {"student": len(student.neck_channels), "teacher": len(teacher.neck_channels)}
    if not all(counts.values()):
        bare = next(who for who, count in counts.items() if not count)
        raise InputError(
            f"method {method}: the {bare} has no FPN levels; choose a detector with a neck, or {weight}: 0"
        )
    common = list(range(min(counts.values())))
    if levels is None and len(set(counts.values())) > 1:
        raise InputError(
            f"method {method}: every FPN level has a partner, and the student has {counts['student']} levels, the teacher "
            f"{counts['teacher']}; choose detectors with the same number of levels, or {weight}: 0"
        )
    if levels == "all" and len(set(counts.values())) > 1:
        raise InputError(
            f"method {method}: levels: all pairs every FPN level, and the student has {counts['student']}, the teacher "
            f"{counts['teacher']}; set levels to some of {common}"
        )
    indices = chosen(levels or "all", student)
    for who, count in counts.items():
        if max(indices) >= count:
            raise InputError(
                f"method {method}: levels {list(indices)}: the {who} has {count} FPN levels; choose from {common}"
            )
    if not same_strides:
        return
    ours, theirs = ([info.neck_strides[level] for level in indices] for info in (student, teacher))
    if ours != theirs:
        raise InputError(
            f"method {method}: FPN levels {list(indices)} have strides {ours} in the student and {theirs} in the teacher, so "
            f"their maps differ in size; choose a teacher with the same levels, {'other levels, ' * (levels is not None)}or {weight}: 0"
        )


def check_widths(method: str, what: str, adapt: bool, ours: tuple[int, ...], theirs: tuple[int, ...]) -> None:
    """Refuse maps of different widths without adaptation layers between them.

    Raises:
        InputError: with the reason and the alternative.
    """
    if not adapt and ours != theirs:
        raise InputError(
            f"method {method}: adapt: false needs equal channels, and the {what} have {list(ours)} in the student and "
            f"{list(theirs)} in the teacher; set adapt: true"
        )


def check_shapes(method: str, student: Tensor, teacher: Tensor) -> None:
    """Refuse maps that would be broadcast instead of compared.

    Shapes: (N, C, H, W) both.
    Raises:
        InputError: the maps' shapes differ.
    """
    if student.shape != teacher.shape:
        raise InputError(
            f"method {method}: student map {tuple(student.shape)} and teacher map {tuple(teacher.shape)} differ in "
            "shape; use a student and a teacher with the same strides and feature sizes"
        )
