"""CWD: the loss and its gradients, driven through the method from FPN maps and, of equal channels, from class maps."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from cases import Arrays, Check, close, floats, gradient, leftovers, numbered, tensor, untouched
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Method, Progress

KNOWN = (r"out_loss(_l\d+)?", r"grad_student(_l\d+)?", r"grad_align_(weight|bias)(_l\d+)?")
NO_LABELS = Batch((1, 1), [], [], [], [])


def cases(arrays: Arrays) -> list[Check]:
    if not maps_of(arrays, "student"):
        return []
    students, teachers = maps_of(arrays, "student"), maps_of(arrays, "teacher")
    checks = [Check("from_fpn_maps", partial(loss_and_gradients, arrays, "fpn"))]
    channels = {level.shape[1] for level in (*students.values(), *teachers.values())}
    if len(channels) == 1 and not any(key.startswith("par_") for key in arrays):
        checks.append(Check("from_class_maps", partial(loss_and_gradients, arrays, "cls")))
    return checks + leftovers(arrays, KNOWN)


def loss_and_gradients(arrays: Arrays, source: str) -> None:
    students, teachers = floats(maps_of(arrays, "student")), floats(maps_of(arrays, "teacher"))
    method = built(arrays, source, students, teachers)
    place = {"fpn": "neck", "cls": "scores"}[source]
    ours, theirs = (Features(**{place: tuple(maps.values())}) for maps in (students, teachers))
    terms = list(method(ours, theirs, NO_LABELS, Progress(0, 1, 0, 1)).values())
    total = torch.stack(terms).sum()
    if "out_loss" in arrays:
        close(total, arrays["out_loss"], "loss")
    total.backward()
    for index, (level, leaf) in enumerate(students.items()):
        if f"out_loss_l{level}" in arrays:
            close(terms[index], arrays[f"out_loss_l{level}"], f"loss of level {level}")
        align = method.aligners[index].named_parameters(prefix="align") if source == "fpn" else ()
        for name, value in {"student": leaf, **dict(align)}.items():
            key = key_of(arrays, f"grad_{name.replace('.', '_')}", level)
            if key in arrays:
                close(gradient(value), arrays[key], key, rtol=1e-3)
    untouched(teachers.values())


def built(arrays: Arrays, source: str, students: dict[int, Tensor], teachers: dict[int, Tensor]) -> Method:
    """The method for detectors with the file's maps."""
    values = {"weight": float(arrays["hp_weight"]), "tau": float(arrays["hp_tau"]), "source": source}
    infos = (
        DetectorInfo("one_stage", 1, widths, (8,) * len(widths), (), score_channels=widths[0])
        for widths in (tuple(m.shape[1] for m in maps.values()) for maps in (students, teachers))
    )
    method = registry.build("cwd", values, *infos)
    if source == "fpn":
        for align, level in zip(method.aligners, students, strict=True):
            names = [name for name, _ in align.named_parameters()]
            align.load_state_dict({n: tensor(arrays[key_of(arrays, f"par_align_{n}", level)]).float() for n in names})
    return method


def maps_of(arrays: Arrays, who: str) -> dict[int, Tensor]:
    """One map without a number, or maps numbered by level."""
    one = f"in_{who}"
    return {0: tensor(arrays[one])} if one in arrays else numbered(arrays, f"in_{who}_l")


def key_of(arrays: Arrays, name: str, level: int) -> str:
    """An array's name, with the level's number where the maps have one."""
    return name if "in_student" in arrays else f"{name}_l{level}"
