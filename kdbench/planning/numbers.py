"""The numbers that a user asks for: counts, cores, GPUs."""

from __future__ import annotations

import math
import os

from kdbench.errors import InputError, brief
from kdbench.specs.base import Spec
from kdbench.specs.study import Resources

MOST = {
    "trials": 1_000_000,
    "epochs": 100_000,
    "seeds": 10_000,
    "finalists": 1_000,
    "patience": 1_000_000,
    "concurrent": 100_000,
}
SEEDS = 2**31 - 1


def check_numbers(request: Spec) -> None:
    """Refuse counts below 1 and resources that are none, in the words of the command's options.

    Raises:
        InputError: names the option.
    """
    given = request.model_dump()
    for key, most in MOST.items():
        value = given.get(key)
        if value is not None and not 1 <= value <= most:
            bound = "at least 1" if value < 1 else f"at most {most}"
            raise InputError(f"--{key} {brief(value)}: must be {bound}")
    for key, least in (("cpus", "above 0"), ("gpus", "0 or more"), ("hours", "above 0"), ("prior", "0 to 1")):
        value = given.get(key)
        if value is not None and not math.isfinite(value):
            raise InputError(f"--{key} {value}: must be a finite number, {least}")
    if (given.get("hours") or 1.0) <= 0 or given.get("hours") == 0:
        raise InputError(f"--hours {given['hours']:g}: must be above 0")
    if not 0 <= given.get("prior", 0) <= 1:
        raise InputError(f"--prior {given['prior']:g}: must be 0 to 1")
    if given["cpus"] <= 0:
        raise InputError(f"--cpus {given['cpus']:g}: must be above 0")
    if given["gpus"] is not None and given["gpus"] < 0:
        raise InputError(f"--gpus {given['gpus']:g}: must be 0 or more")
    last = given["seed"] + (given.get("seeds") or 1)
    if given["seed"] < 0 or last > SEEDS:
        bound = "0 or more" if given["seed"] < 0 else f"below {SEEDS - (given.get('seeds') or 1)}"
        raise InputError(f"--seed {brief(given['seed'])}: must be {bound}")


def gpus_of(asked: float | None, address: str | None) -> float:
    """GPUs of a process: as asked, else one where this machine has any (on a cluster: say --gpus)."""
    if asked is not None:
        return asked
    if address:
        return 0.0
    import torch

    return 1.0 if torch.cuda.is_available() else 0.0


def check_machine(resources: Resources, processes: int, address: str | None) -> None:
    """Refuse what this machine has not, as Ray would after everything else has been done. A cluster is asked by Ray.

    Args:
        processes: of the largest training.

    Raises:
        InputError: names the option.
    """
    if address:
        return
    have = {"CPU": float(os.cpu_count() or 1), "GPU": 0.0}
    if resources.gpus:
        import torch

        have["GPU"] = float(torch.cuda.device_count())
    trials_at_once(resources, processes, have, "this machine")


def trials_at_once(resources: Resources, processes: int, available: dict[str, float], where: str = "Ray") -> int:
    """How many trials of `processes` processes run at once.

    Raises:
        InputError: not even one fits; Ray would wait for ever.
    """
    fits = []
    for kind, need in (("CPU", resources.cpus), ("GPU", resources.gpus)):
        if need:
            have = available.get(kind, 0.0)
            # A fraction of a device is given whole or not at all: count by device.
            per_process = int(have / need + 1e-6)
            if per_process < processes:
                raise InputError(
                    f"a trial needs {processes * need:g} {kind} (--{kind.lower()}s {need:g} for each of {processes} processes), "
                    f"{where} has {have:g}; lower --{kind.lower()}s or schedule.gpus"
                )
            fits.append(per_process // processes)
    return min([*fits, resources.concurrent or max(fits)])
