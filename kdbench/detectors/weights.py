"""Weights of detectors: reading checkpoints with care, and writing the student alone."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdbench.detectors import fit
from kdbench.detectors.digest import check_regular, digest, intact, local_file
from kdbench.detectors.download import download
from kdbench.detectors.writing import write_whole
from kdbench.errors import InputError


def load_weights(model: nn.Module, path_or_url: str, *, classes: tuple[str, ...] | None, what: str) -> None:
    """Load a whole detector's weights, or refuse with the reason in one line.

    Takes mmdet checkpoints, bare state dicts and kdbench's own files; prefixes of DistributedDataParallel are removed.
    Files are read as data only (`weights_only`): no code in them runs.

    Args:
        classes: the class names that are wanted; compared with those in the checkpoint, if it names any.
        what: how the error calls it, e.g. "teacher".

    Example:
        >>> load_weights(teacher, "teacher.pth", classes=("cat", "dog"), what="teacher")

    Raises:
        InputError: cannot be fetched or read, has other classes, or belongs to another architecture.
    """
    where = f"{what}: {path_or_url}"
    path = local_file(path_or_url, where) or download(path_or_url, what)
    checkpoint = _read(path.expanduser(), where)
    meta = checkpoint.get("meta")
    state = _state(checkpoint, where)
    given = meta.get("CLASSES") if isinstance(meta, dict) else None
    reason = fit.classes_differ(given, classes) or fit.weights_differ(model, state)
    if reason:
        raise InputError(f"{where}: {reason}")
    model.load_state_dict(state, strict=False)


def weights_id(path: str | Path) -> str:
    """The identity of a weights file: the first 12 hex digits of its SHA-256.

    Raises:
        InputError: it cannot be read.
    """
    return digest(path)[:12]


def damage(path: Path, recipe: str | None = None) -> str | None:
    """Why a file of weights that kdbench wrote is not what it was; None where it is whole.

    Args:
        recipe: identity of the recipe that trained it.
    """
    try:
        checkpoint = _read(path, str(path))
        _state(checkpoint, str(path))
    except InputError as error:
        return str(error).removeprefix(f"{path}: ").partition(";")[0]
    if not intact(path):
        return "is damaged inside"
    meta = checkpoint.get("meta")
    known = meta.get("recipe") if isinstance(meta, dict) else None
    if recipe is not None and known not in (None, recipe):
        return "holds the weights of another training"
    return None


def export_student(model: nn.Module, path: str | Path, meta: dict[str, Any]) -> None:
    """Write a plain mmdet checkpoint with the student alone; a kill leaves the old file or the new one, whole.

    Example:
        >>> export_student(student, "student.pth", {"CLASSES": ["cat", "dog"], "epoch": 12})
    """
    path = Path(path)
    state = OrderedDict((name, tensor.detach().cpu()) for name, tensor in model.state_dict().items())
    write_whole(path, {"meta": dict(meta), "state_dict": state})


def _read(path: Path, where: str) -> dict[str, Any]:
    import numpy as np

    # Older checkpoints keep a score or a time as a NumPy number in their meta data: harmless, named one by one.
    scalar = np.float64(0).__reduce__()[0]
    numbers: list[Any] = [
        (scalar, "numpy.core.multiarray.scalar"),
        scalar,
        np.dtype,
        np.dtypes.Float64DType,
        np.dtypes.Int64DType,
    ]
    check_regular(path, where)
    try:
        with torch.serialization.safe_globals(numbers):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error):  # a text, say
            raise InputError(f"{where}: is not a torch checkpoint; give a file of weights") from None
        raise InputError(
            f"{where}: holds other Python objects than weights, or is not a checkpoint; save its state_dict alone"
        ) from None
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror or error}); check the path") from None
    except Exception:  # a cut archive, zeros, a text: each fails in its own way
        raise InputError(f"{where}: is not a whole torch checkpoint; fetch or write it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{where}: holds a {type(content).__name__}, not a checkpoint; give a file with a state_dict")
    return content


def _state(checkpoint: dict[str, Any], where: str) -> OrderedDict[str, Tensor]:
    found = checkpoint.get("state_dict", checkpoint)
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        keys = ", ".join(map(str, list(checkpoint)[:5]))
        raise InputError(f"{where}: has no state_dict (its keys: {keys}); give a detector's weights")
    state: OrderedDict[str, Tensor] = OrderedDict()
    for name, value in found.items():
        state[str(name).removeprefix("module.")] = value
    if hasattr(found, "_metadata"):
        # Versions of the layers: some of mmcv's operators rename old weights by them.
        state._metadata = {key.removeprefix("module").removeprefix("."): v for key, v in found._metadata.items()}  # type: ignore[attr-defined]
    return state
