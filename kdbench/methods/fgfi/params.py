"""FGFI's parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kdbench.methods.base import MethodParams
from kdbench.methods.shared.losses import Norm
from kdbench.methods.shared.schedules import Decay, DecayUnit

Flavour = Literal["fpn", "original"]
Difference = Literal["squared", "l1", "div"]


class FGFIParams(MethodParams):
    """With weight 0 nothing is computed."""

    weight: float = Field(3.0, ge=0, description="of the term; about 0.01 for norm: position")
    phi: float = Field(0.5, ge=0, le=1, description="share of the best overlap from which a cell is near an object")
    flavour: Flavour = Field(
        "fpn", description="FPN levels, each with its boxes; or one backbone stage with all of them"
    )
    stage: int = Field(2, ge=0, description="backbone stage of flavour original, 0 = C2; stride 4 * 2^stage")
    norm: Norm = Field("element", description="whether the mean counts channels (element) or not (position)")
    difference: Difference = Field(
        "squared", description="of two elements; l1: |d| below 1 and d^2 above; div: (1 - S/T)^2"
    )
    adapt: bool = Field(True, description="a 3x3 convolution on each map of the student; needed if the widths differ")
    adapt_relu: bool = Field(False, description="followed by a ReLU: for maps that are never negative")
    adapt_init_std: float = Field(1e-4, ge=0, description="spread of its initial weights")
    decay: Decay = Field("none", description="how the term changes over the training")
    decay_unit: DecayUnit = Field("epoch", description="how often the decay takes a step")
    warmup_iters: int = Field(0, ge=0, description="iterations at the start with the term times 0")
    warmup_frac: float = Field(0.0, ge=0, le=1, description="the same as a share of the training; the later end counts")
