"""ICD's parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kdbench.methods.base import MethodParams
from kdbench.methods.icd.losses import Form, ValueNorm

Levels = Literal["all", "drop_finest"]


class ICDParams(MethodParams):
    """With `lambda_distill` 0 nothing is built: the auxiliary tasks alone do not touch the student."""

    lambda_distill: float = Field(8.0, ge=0, description="weight of the imitation; comparable within one loss_form")
    conf_weight: float = Field(1.0, ge=0, description="weight of telling real descriptions from fake ones")
    reconstruction_weight: float = Field(0.0, ge=0, description="weight of rebuilding teacher features from values")
    jitter: float = Field(0.3, ge=0, lt=0.5, description="shift of a described centre, in shares of the box's sides")
    sample_rule: Literal["relative", "fixed"] = Field("relative", description="how many descriptions an image gets")
    neg_ratio: float = Field(5.0, ge=0, description="fake descriptions for each real one (relative)")
    max_labels: int = Field(
        300, ge=1, description="most descriptions of an image, unless it has more objects (relative)"
    )
    num_labels: int = Field(100, ge=1, description="descriptions of an image, unless it has more objects (fixed)")
    max_real: int | None = Field(None, ge=1, description="keep a random so many objects of an image; null keeps all")
    prior: Literal["statistics", "uniform"] = Field(
        "statistics", description="fake classes and sides: as in the training annotations, or alike for all classes"
    )
    add_scale: bool = Field(True, description="describe the coarse width and height in pixels")
    heads: int = Field(8, ge=1, description="attention heads; must divide hidden_dim")
    layers: int = Field(
        1, ge=0, description="decoder layers; 0 is attention alone, without residual, norm, feed-forward"
    )
    hidden_dim: int | None = Field(None, ge=1, description="width of queries and values; null: the teacher's FPN width")
    dropout: float = Field(0.0, ge=0, lt=1, description="of attention weights, in the auxiliary tasks")
    use_pos: bool = Field(True, description="add the positional encoding to the keys")
    project_pos: bool = Field(True, description="through a linear layer")
    pos_on_value: bool = Field(False, description="add it to what the values are made of, too")
    temperature: float = Field(1.0, gt=0, description="divides the logits of the imitation's weights")
    temperature_schedule: Literal["fixed", "linear", "learnable"] = Field(
        "fixed", description="linear moves it to temperature_end over the training; learnable learns it in [0.1, 8]"
    )
    temperature_end: float = Field(1.0, gt=0, description="temperature at the end of a linear schedule")
    value_norm: ValueNorm = Field("ln", description="normalise both networks' values, the teacher's only, or none")
    norm_eps: float = Field(1e-5, gt=0, description="added to the variance in that normalisation")
    loss_form: Form = Field("mse", description="mse averages in each image first, the others over the whole batch")
    distill_negative: bool = Field(False, description="fake descriptions weigh the imitation too")
    levels: Levels = Field("all", description="FPN levels looked at")
    start: float = Field(1000 / 90000, ge=0, le=1, description="share of the training before the student imitates")
    inherit: bool = Field(True, description="start the student with the teacher's neck and heads where shapes agree")
    aux_lr: float = Field(1e-4, gt=0, description="AdamW's learning rate for the method's modules, cosine to 0")
    aux_weight_decay: float = Field(1e-4, ge=0, description="AdamW's weight decay for them")
    aux_clip_norm: float | None = Field(0.01, gt=0, description="maximal norm of their gradient; null is none")
    student_clip_value: float | None = Field(
        1.0, gt=0, description="maximal magnitude of each element of the student's gradient; null is none"
    )
