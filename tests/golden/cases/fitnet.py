"""FitNet: the loss on whole FPN maps."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from cases import Arrays, Check, leftovers, numbered
from cases.imitation import KNOWN, method_of, neck_checks, with_layers
from kdbench.methods.base import Features, Method


def cases(arrays: Arrays) -> list[Check]:
    if not numbered(arrays, "in_student_l"):
        return []
    checks = [Check("mask_is_everything", lambda: whole(arrays))] if numbered(arrays, "in_mask_l") else []
    checks += neck_checks(arrays, fitnet, means)
    return checks + leftovers(arrays, KNOWN)


def whole(arrays: Arrays) -> None:
    """The file was made with every cell: otherwise it is no file of this method."""
    for level, mask in numbered(arrays, "in_mask_l").items():
        assert bool((mask == 1).all()), f"mask of level {level} leaves cells out"


def fitnet(arrays: Arrays, weight: float) -> Method:
    method = method_of("fitnet", arrays, {"weight": weight})
    with_layers(method.neck_adapters, arrays)  # type: ignore[arg-type]
    return method


def means(method: Any, ours: Features, theirs: Features, batch: Any) -> Tensor:
    errors: Tensor = method.errors(method.neck_adapters, ours.neck, theirs.neck)
    return errors
