"""What ICD refuses before anything is built, each with its reason and the alternatives."""

from __future__ import annotations

from typing import TypeVar

from kdbench.errors import InputError
from kdbench.methods.base import DetectorInfo
from kdbench.methods.icd.params import ICDParams

Level = TypeVar("Level")


def check(params: ICDParams, student: DetectorInfo, teacher: DetectorInfo) -> None:
    """Compare the parameters with the two detectors.

    Raises:
        InputError: these detectors cannot be distilled like this.
    """
    _check_levels(params, student, teacher)
    _check_width(params, hidden_dim(params, teacher))
    if params.pos_on_value and not params.use_pos:
        raise InputError(
            "method icd: pos_on_value: true adds the positional encoding to the values and use_pos: false has none; "
            "set use_pos: true or pos_on_value: false"
        )


def used(params: ICDParams, levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """Those of a pyramid's levels (maps, or their channels) that are looked at."""
    return levels[1:] if params.levels == "drop_finest" else levels


def hidden_dim(params: ICDParams, teacher: DetectorInfo) -> int:
    """The width of queries and values: the teacher's FPN width unless given."""
    return params.hidden_dim or max(used(params, teacher.neck_channels))


def _check_levels(params: ICDParams, student: DetectorInfo, teacher: DetectorInfo) -> None:
    if student.neck_strides != teacher.neck_strides or len(student.neck_channels) != len(teacher.neck_channels):
        raise InputError(
            f"method icd: the student's FPN levels have strides {list(student.neck_strides)}, the teacher's "
            f"{list(teacher.neck_strides)}; choose a teacher with the same levels, or set lambda_distill to 0"
        )
    if not used(params, student.neck_channels):
        raise InputError(
            f"method icd: levels: {params.levels} leaves none of the {len(student.neck_channels)} FPN levels; set "
            "levels: all, choose detectors with an FPN, or set lambda_distill to 0"
        )


def _check_width(params: ICDParams, width: int) -> None:
    if width % params.heads:
        raise InputError(
            f"method icd: heads {params.heads} does not divide hidden_dim {width} (null: the teacher's FPN width); "
            f"set heads to a divisor such as {_nearest_divisor(width, params.heads)}, or another hidden_dim"
        )
    if width == params.heads and params.value_norm != "none":
        raise InputError(
            f"method icd: with {params.heads} heads in hidden_dim {width} a head has one channel, and value_norm: "
            f"{params.value_norm} makes every value 0; set fewer heads, or value_norm: none"
        )
    if width % 2 and params.use_pos:
        raise InputError(
            f"method icd: hidden_dim {width} is odd and the positional encoding needs half of it for each axis; set an "
            "even hidden_dim, or use_pos: false"
        )


def _nearest_divisor(width: int, heads: int) -> int:
    return min((n for n in range(1, width + 1) if width % n == 0), key=lambda n: abs(n - heads))
