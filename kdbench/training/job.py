"""What is to be trained, where, and by which of several processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.errors import InputError
from kdbench.specs.recipe import Recipe

if TYPE_CHECKING:
    from kdbench.data import Prepared


@dataclass(frozen=True)
class Job:
    """A recipe with everything that depends on the machine.

    Attributes:
        workdir: the checkpoint, the log and the exported config are written here.
        teacher_weights: file of the teacher's weights; None for a method that needs no teacher.
        device: "cpu", "cuda" or "auto".
        threads: torch threads of each process; 0 leaves torch's own choice.
        report: measure the report split too, once, at the end.
    """

    recipe: Recipe
    data: Prepared
    workdir: Path
    teacher_weights: Path | None = None
    device: str = "auto"
    threads: int = 0
    report: bool = False


@dataclass(frozen=True)
class Rank:
    """Which of several processes this is."""

    rank: int = 0
    world: int = 1


def check_device(recipe: Recipe, device: str) -> str:
    """Resolve "auto" and refuse what this machine cannot do.

    Raises:
        InputError: CUDA asked for and not there, too few GPUs, mixed precision on the CPU.
    """
    import torch

    cuda = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if cuda else "cpu"
    if device == "cuda" and not cuda:
        raise InputError("device cuda: torch finds no GPU here; use --device cpu")
    if device == "cpu" and recipe.schedule.fp16:
        raise InputError("schedule.fp16: mixed precision needs a GPU; set schedule.fp16=false")
    return device
