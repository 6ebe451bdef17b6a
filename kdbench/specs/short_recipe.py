"""The short form of a recipe that a user writes by hand: a task and what differs from its defaults."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kdbench.specs.base import Spec


class ShortRecipe(Spec):
    """A file for `kdbench train`.

    Attributes:
        task: a task's name or file.
        method: a method or a preset; `none` is plain training.
        seed: of the training.
        params: of the method; what is not given has its published or default value.
        training: lr, samples_per_gpu, grad_clip, gpus, ... instead of the task's.
        set: dotted changes of the task, as --set.
    """

    task: str
    method: str = "none"
    params: dict[str, Any] = {}
    training: dict[str, Any] = {}
    set: dict[str, Any] = {}
    seed: int = Field(0, ge=0, lt=2**31)
