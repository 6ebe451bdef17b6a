"""LGD's parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kdbench.methods.base import MethodParams

Interaction = Literal["stuGuided", "labelGuided", "student_fill", "teacher_fill"]
ClassCode = Literal["one_hot", "norm_classes"]
Width = Annotated[int, Field(ge=1)]


class LGDParams(MethodParams):
    """With lambda_hint and instructive_loss_weight 0 nothing is computed and nothing is built."""

    lambda_hint: float = Field(1.0, ge=0, description="weight of the hint that pulls the student to the branch's maps")
    instructive_loss_weight: float = Field(
        1.0, ge=0, description="weight of the student's own losses on the branch's maps, which train the branch"
    )
    context: bool = Field(True, description="an extra token for the whole input, added to every cell")
    detach_appearance: bool = Field(
        False, description="no gradient from the branch into the student's neck and backbone"
    )
    segmentation: bool = Field(False, description="describe and paint objects by their masks instead of their boxes")
    interaction: Interaction = Field(
        "stuGuided",
        description="what asks in the attention: stuGuided: appearance; labelGuided: labels; student_fill: no attention, "
        "appearance alone; teacher_fill: no attention, labels alone",
    )
    class_code: ClassCode = Field(
        "one_hot", description="classes as one value each, or as one number, id / classes (without context)"
    )
    heads: int = Field(8, ge=1, description="attention heads, a divisor of the FPN's width")
    encoder_widths: tuple[Width, Width, Width] = Field(
        (64, 128, 1024), description="widths of the label encoder and of the first half of its transform nets"
    )
    transform_widths: tuple[Width, Width] = Field(
        (512, 256), description="widths of the second half of the transform nets"
    )
    affine_norms: bool = Field(False, description="learnable scale and shift in the branch's normalisations")
    adapter_depth: Literal[1, 2, 3] = Field(3, description="convolutions of the student's adapter")
    start_frac: float = Field(
        1 / 6, ge=0, le=1, description="share of the training before the hint reaches the student"
    )
    stop_frac: float = Field(0.0, ge=0, le=1, description="share of the training at its end without the hint")
    freeze_backbone_frac: float = Field(
        1 / 9, ge=0, le=1, description="share of the training in which the student's backbone is not updated"
    )
    clip_value: float | None = Field(
        1.0, gt=0, description="maximal magnitude of each element of the gradient of student, adapter and branch"
    )
    branch_optimizer: Literal["SGD", "AdamW"] | None = Field(
        None, description="optimizer of the branch; null: the task's"
    )
    branch_lr: float | None = Field(None, gt=0, description="learning rate of the branch; null: the task's")
    branch_weight_decay: float | None = Field(None, ge=0, description="weight decay of the branch; null: the task's")

    @property
    def attends(self) -> bool:
        """Do labels and appearance meet in an attention?"""
        return self.interaction in ("stuGuided", "labelGuided")

    @property
    def uses_labels(self) -> bool:
        """Are the labels encoded? If not, they only say where to pool and paint."""
        return self.interaction != "student_fill"

    @property
    def uses_appearance(self) -> bool:
        """Are the student's maps pooled?"""
        return self.interaction != "teacher_fill"
