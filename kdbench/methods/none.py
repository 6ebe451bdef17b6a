"""Plain training of the student: the baseline that every method is compared with."""

from __future__ import annotations

from torch import Tensor

from kdbench.methods.base import Batch, Features, Method, Progress, Taps


class NoDistillation(Method):
    """Nothing is tapped and nothing is added."""

    name = "none"
    title = "plain training of the student, the baseline"
    needs_teacher = False

    def taps(self) -> Taps:
        return Taps()

    def forward(self, student: Features, teacher: Features, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        return {}
