"""FGD's parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kdbench.methods.base import MethodParams
from kdbench.methods.shared.levels import Levels


class FGDParams(MethodParams):
    """With alpha 0 nothing is computed. The other terms' weights are multiples of alpha."""

    alpha: float = Field(5e-5, ge=0, description="weight of the foreground term; 0 switches the method off")
    beta_ratio: float = Field(0.5, ge=0, description="weight of the background term, as a multiple of alpha")
    gamma_ratio: float = Field(1.0, ge=0, description="weight of the attention term, as a multiple of alpha")
    lambda_ratio: float = Field(0.01, ge=0, description="weight of the relation term, as a multiple of alpha")
    temperature: float = Field(0.5, gt=0, description="of both attentions; lower is sharper")
    levels: Levels = Field("first_4", description="FPN levels: first_4, all, or a list counted from 0 = finest")
    box_scale: Literal["img", "pad"] = Field(
        "img", description="boxes lie on the map by their share of the image, or of the padded input"
    )
    init_student_head: bool = Field(True, description="start from the teacher's neck and heads where they agree")
