"""MGD's parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kdbench.methods.base import MethodParams
from kdbench.methods.shared.levels import Levels

Norm = Literal["area", "sum", "mean"]


class MGDParams(MethodParams):
    """With alpha_mgd 0 nothing is computed and nothing is inherited."""

    alpha_mgd: float = Field(5e-7, ge=0, description="weight of each level's term, tuned for inputs of 800x1333")
    lambda_mgd: float = Field(0.45, ge=0, lt=1, description="share of the student's map that is erased")
    levels: Levels = Field("first_4", description="FPN levels: first_4, all, or a list counted from 0 = finest")
    mask_on_channel: bool = Field(False, description="erase whole channels instead of positions")
    init_student_head: bool = Field(
        False, description="start from the teacher's neck and heads, if the detectors' FPN widths and heads agree"
    )
    norm: Norm = Field(
        "area",
        description="error: sum, as official; area: that, scaled to 800x1333 on smaller inputs; mean: per element",
    )
