"""The numbers that a user asks for: counts, cores, GPUs."""

from __future__ import annotations

from kdbench.errors import InputError
from kdbench.specs.base import Spec


def check_numbers(request: Spec) -> None:
    """Refuse counts below 1 and resources that are none, in the words of the command's options.

    Raises:
        InputError: names the option.
    """
    given = request.model_dump()
    for key in ("trials", "epochs", "seeds", "concurrent"):
        value = given.get(key)
        if value is not None and value < 1:
            raise InputError(f"--{key} {value}: must be at least 1")
    if given["cpus"] <= 0:
        raise InputError(f"--cpus {given['cpus']:g}: must be above 0")
    if given["gpus"] is not None and given["gpus"] < 0:
        raise InputError(f"--gpus {given['gpus']:g}: must be 0 or more")
    if given["seed"] < 0:
        raise InputError(f"--seed {given['seed']}: must be 0 or more")


def gpus_of(asked: float | None, address: str | None) -> float:
    """GPUs of a process: as asked, else one where this machine has any (on a cluster: say --gpus)."""
    if asked is not None:
        return asked
    if address:
        return 0.0
    import torch

    return 1.0 if torch.cuda.is_available() else 0.0
