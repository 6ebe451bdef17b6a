"""What methods have in common that compare FPN levels of the user's choice, aligned where their widths differ."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from kdbench.methods.base import DetectorInfo, Method, MethodParams, Taps
from kdbench.methods.shared.agreement import heads_agree
from kdbench.methods.shared.align import aligner
from kdbench.methods.shared.levels import check_levels, chosen


class LevelMethod(Method):
    """A method on the FPN levels that its parameter `levels` names; its first weight switches it off.

    Attributes:
        levels: their indices, 0 is the finest.
        aligners: one a level, on the student's map; only there while the method taps the FPN.
        heads_agree: whether weights of the teacher's head can stand for the student's.
    """

    same_strides: ClassVar[bool] = True
    """Whether maps of different sizes are refused."""

    def __init__(self, params: MethodParams, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        super().__init__(params, student, teacher)
        self.levels = chosen(self.params.levels, student)
        self.heads_agree = teacher is not None and heads_agree(student, teacher)
        if self.taps():
            theirs = self.required(teacher).neck_channels
            widths = (
                [(student.neck_channels[level], theirs[level]) for level in self.levels] if self.taps().neck else []
            )
            self.aligners = nn.ModuleList(aligner(*pair) for pair in widths)

    @classmethod
    def check(cls, params: Any, student: DetectorInfo, teacher: DetectorInfo | None) -> None:
        """Refuse levels that one of the detectors has not or, with `same_strides`, whose maps differ in size."""
        super().check(params, student, teacher)
        weight = cls.weights[0]
        if getattr(params, weight):
            check_levels(cls.name, params.levels, weight, student, teacher or student, same_strides=cls.same_strides)

    def taps(self) -> Taps:
        return Taps(neck=bool(getattr(self.params, self.weights[0])))


class InheritingLevelMethod(LevelMethod):
    """One whose student starts from the teacher's neck and heads, where they agree and `init_student_head` says so."""

    @property
    def inherits(self) -> bool:
        return bool(self.taps()) and self.params.init_student_head and self.heads_agree
