"""What `kdbench doctor` looks at."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from kdbench.specs.study import Resources

PACKAGES = ("torch", "torchvision", "mmdet", "mmcv-full", "ray", "mlflow", "optuna", "pycocotools")


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    good: bool
    finding: str


def checks(storage: Path, tracking_uri: str | None, address: str | None) -> Iterator[Check]:
    """Look at one thing after the other; what raises is a finding too."""
    looks: list[tuple[str, Callable[[], str]]] = [
        ("packages", _packages),
        ("devices", _devices),
        ("operators", _operators),
        ("storage", lambda: _storage(storage)),
        ("mlflow", lambda: _mlflow(storage, tracking_uri)),
        ("ray", lambda: _ray(address)),
    ]
    for name, look in looks:
        try:
            yield Check(name, True, look())
        except Exception as error:
            yield Check(name, False, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")


def _packages() -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)


def _devices() -> str:
    import os

    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{os.cpu_count()} CPU cores, {', '.join(gpus) or 'no GPU'}"


def _operators() -> str:
    from kdbench.ops.check import check

    return check()


def _storage(storage: Path) -> str:
    storage.mkdir(parents=True, exist_ok=True)
    probe = storage / f".doctor-{uuid4().hex}"
    probe.write_text("probe")
    probe.unlink()
    return f"{storage} can be written"


def _mlflow(storage: Path, tracking_uri: str | None) -> str:
    from kdbench.tracking.store import tracking_uri as resolve
    from kdbench.tracking.writer import Tracker

    uri = resolve(storage, tracking_uri)
    Tracker(uri, storage)
    return f"{uri} answers"


def _ray(address: str | None) -> str:
    from kdbench.running.cluster import ray_session

    with ray_session(address, Resources()) as available:
        import ray

        if ray.get(ray.remote(_worker).remote()) != "kdbench":
            raise RuntimeError("a worker gave a wrong answer")
        return f"{available.get('CPU', 0):g} CPUs, {available.get('GPU', 0):g} GPUs, a worker imports kdbench"


def _worker() -> str:
    from kdbench import errors

    return errors.__name__.partition(".")[0]
