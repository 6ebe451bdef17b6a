"""ICD: descriptions, positions, decoder, losses and gradients, driven through the method; and the fakes it draws."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, Check, close, gradient, leftovers, same, tensor, untouched
from cases.icd_method import (
    START,
    batch_of,
    feats,
    features,
    form_of,
    icd,
    leaves_of,
    levels_of,
    meta_of,
    ours_of,
    state_of,
    student_of,
    temperature_of,
)
from cases.icd_sampler import sampler_checks
from kdbench.methods.base import Method, Progress
from kdbench.methods.icd import losses as icd_losses
from kdbench.methods.icd.descriptors import descriptors, scale_code
from kdbench.methods.icd.weights import logits

ATOL = 2e-5
RESULTS = ("q.", "pad.", "posenc.", "out.", "loss.", "grad.", "gradnorm.")
VARIANT = r"loss\.distill_(form|temp|norm)\.(.+)"
KNOWN = (
    r"q\.(class|centre|box_xyxy_norm|reg_target_ltrb|is_real|pad_mask)",
    r"q\.(class_onehot|centre_sine|scale_onehot|scale_onehot_per_image|descriptor)",
    r"pad\.p\d+",
    r"posenc\.p\d+",
    r"out\.query",
    r"out\.(attn_logits|attn|decoded|conf_logit|reg_pred|distill_weight)\.\d+",
    r"out\.value\.(teacher|student)\.\d+",
    r"loss\.aux\.\d+\.prop_(conf|reg)",
    r"loss\.distill(_flag_off)?",
    VARIANT,
    r"grad(norm)?\.(student_feat|teacher|student)\..+",
)


def cases(arrays: Arrays) -> list[Check]:
    checks = sampler_checks(arrays)
    if "q.descriptor" in arrays:
        checks += [Check("instances", partial(instances, arrays)), Check("descriptors", partial(described, arrays))]
    if "out.query" in arrays:
        checks.append(Check("query", partial(query, arrays)))
    if feats(arrays):
        checks += [
            Check("positions", partial(positions, arrays)),
            Check("decoder", partial(decoder, arrays)),
            Check("values_and_weights", partial(values_and_weights, arrays)),
            Check("auxiliary_losses", partial(auxiliary, arrays)),
            Check("losses_and_gradients", partial(gradients, arrays)),
        ]
        if "loss.distill_flag_off" in arrays:
            checks.append(Check("before_the_start", partial(before_the_start, arrays)))
        for key in arrays:
            if match := re.fullmatch(VARIANT, key):
                checks.append(Check(f"{match[1]}_{match[2]}", partial(variant, arrays, key, match[1], match[2])))
    if not checks:
        return []
    results = {"out_" + key: arrays[key] for key in arrays if key.startswith(RESULTS)}
    return checks + leftovers(results, ["out_" + pattern for pattern in KNOWN])


def compare(actual: Tensor, arrays: Arrays, key: str, rtol: float = 1e-4, atol: float = ATOL) -> None:
    """Close where finite, and infinite at the same places; a file without that array asks nothing."""
    if key not in arrays:
        return
    got, expected = actual.detach(), arrays[key]
    same(got.isinf(), np.isinf(expected), f"infinite elements of {key}")
    close(got.nan_to_num(neginf=0), np.where(np.isinf(expected), 0, expected), key, rtol, atol)


# -- descriptions ----------------------------------------------------------------------------------------------------


def instances(arrays: Arrays) -> None:
    found = icd(arrays).instances(batch_of(arrays))
    same(found.labels, arrays["q.class"], "classes")
    same(found.valid, ~arrays["q.pad_mask"], "slots that are no padding")
    same(found.real.float(), arrays["q.is_real"].astype("f4"), "real slots")
    compare(found.centres, arrays, "q.centre", atol=1e-6)
    compare(found.boxes, arrays, "q.box_xyxy_norm", atol=1e-6)
    compare(found.sides, arrays, "q.reg_target_ltrb", atol=1e-6)


def described(arrays: Arrays) -> None:
    method, batch = icd(arrays), batch_of(arrays)
    sizes = torch.tensor([[width, height] for height, width in batch.image_sizes]).float()
    C, found = method.num_classes, method.instances(batch)
    vectors = descriptors(found, sizes, C, method.params.add_scale)
    compare(vectors[..., :C], arrays, "q.class_onehot")
    compare(vectors[..., C : C + 256], arrays, "q.centre_sine")
    by_own_size = scale_code(found, sizes)
    if "q.scale_onehot_per_image" in arrays:
        same(by_own_size, arrays["q.scale_onehot_per_image"], "scale code by each image's own size")
    if "q.scale_onehot" in arrays:
        # The official code takes the last image's size for all.
        same(scale_code(found, sizes[-1:].expand_as(sizes)), arrays["q.scale_onehot"], "official scale code")
    if method.params.add_scale:
        same(vectors[..., C + 256 :], by_own_size.numpy(), "scale code in the descriptor")
        vectors = torch.cat([vectors[..., : C + 256], tensor(arrays["q.scale_onehot"])], dim=-1)
    compare(vectors, arrays, "q.descriptor")


def query(arrays: Arrays) -> None:
    method = icd(arrays)
    compare(encoded(method, arrays), arrays, "out.query")


def encoded(method: Method, arrays: Arrays) -> Tensor:
    batch = batch_of(arrays)
    return method.teacher_side.encoder(method.describe(method.instances(batch), batch))


# -- decoder ---------------------------------------------------------------------------------------------------------


def decoded(method: Method, arrays: Arrays) -> tuple[Any, Any, Any]:
    """Each layer's result, the places and the instances."""
    batch, side = batch_of(arrays), method.teacher_side
    teacher = tuple(leaves_of(arrays, "teacher").values())
    found, place = method.instances(batch), method.place(teacher, batch)
    return side(side.tokens(teacher), method.describe(found, batch), place), place, found


def positions(arrays: Arrays) -> None:
    levels = leaves_of(arrays, "teacher")
    place = icd(arrays).place(tuple(levels.values()), batch_of(arrays))
    counts = [level[0, 0].numel() for level in levels.values()]
    codes = [None] * len(levels) if place.code is None else place.code.split(counts, dim=1)
    for name, padding, code in zip(levels, place.padding.split(counts, dim=1), codes, strict=True):
        shape = levels[name].shape[-2:]
        if f"pad.{name}" in arrays:
            same(padding.unflatten(1, shape), arrays[f"pad.{name}"], f"padding of {name}")
        if code is not None:
            compare(code.transpose(1, 2).unflatten(2, shape), arrays, f"posenc.{name}")


def decoder(arrays: Arrays) -> None:
    method = icd(arrays)
    layers, place, _ = decoded(method, arrays)
    for number, layer in enumerate(layers):
        seen = logits(layer.query, layer.key, place.padding)
        compare(seen, arrays, f"out.attn_logits.{number}", atol=fine(arrays))
        compare(seen.softmax(-1), arrays, f"out.attn.{number}", atol=1e-6)
        compare(layer.output, arrays, f"out.decoded.{number}", atol=fine(arrays))
        existing, sides = method.teacher_side.predict(layer)
        compare(existing, arrays, f"out.conf_logit.{number}", atol=fine(arrays))
        compare(sides, arrays, f"out.reg_pred.{number}", atol=fine(arrays))


def fine(arrays: Arrays) -> float:
    """Sums over many channels differ more."""
    return ATOL if meta_of(arrays)["channels"] < 128 else 1e-4


def values_and_weights(arrays: Arrays) -> None:
    method = icd(arrays)
    layers, place, found = decoded(method, arrays)
    students = method.student_side(tuple(leaves_of(arrays, "student").values()), place)
    for number, (layer, student) in enumerate(zip(layers, students, strict=True)):
        compare(layer.value.transpose(1, 2), arrays, f"out.value.teacher.{number}")
        compare(student.transpose(1, 2), arrays, f"out.value.student.{number}")
        weights = method.weights_of(layer, found, place, method.temperature(START))
        compare(weights, arrays, f"out.distill_weight.{number}", atol=1e-6)


# -- losses ----------------------------------------------------------------------------------------------------------


def auxiliary(arrays: Arrays) -> None:
    method = icd(arrays)
    layers, _, found = decoded(method, arrays)
    for number, layer in enumerate(layers):
        existing, sides = method.teacher_side.predict(layer)
        told = icd_losses.identification(existing, found.real, found.valid) * method.params.conf_weight
        compare(told, arrays, f"loss.aux.{number}.prop_conf")
        located = icd_losses.localisation(sides, found.sides, found.real)
        compare(located, arrays, f"loss.aux.{number}.prop_reg")


def gradients(arrays: Arrays) -> None:
    """The terms, and the gradients of their sum."""
    method, ours, theirs = icd(arrays), leaves_of(arrays, "student"), leaves_of(arrays, "teacher")
    terms = method(features(ours), features(theirs), batch_of(arrays), START)
    compare(terms["loss_distill"], arrays, "loss.distill")
    for term, task in (("loss_identification", "prop_conf"), ("loss_localisation", "prop_reg")):
        given = [arrays[key] for key in arrays if re.fullmatch(rf"loss\.aux\.\d+\.{task}", key)]
        if given:
            close(terms[term], np.sum(given, axis=0), term, atol=ATOL)
    torch.stack(list(terms.values())).sum().backward()
    untouched(theirs.values())
    reached = {f"student_feat.{level}": gradient(ours[level]) for level in levels_of(arrays)}
    reached |= {f"teacher.{name}": of_teacher(method, name, v) for name, v in state_of(arrays, "teacher").items()}
    students = {f"student.{name}": of_student(method, name, v) for name, v in state_of(arrays, "student").items()}
    times = runs(arrays, students)
    for key in (key for key in arrays if key.startswith(("grad.", "gradnorm."))):
        kind, name = key.split(".", 1)
        found = reached[name] if name in reached else students[name]
        if kind == "gradnorm":
            compare(found.norm(), arrays, key, rtol=1e-3, atol=2e-6)
        else:
            compare(found * (times if name in students else 1), arrays, key, rtol=1e-3, atol=2e-6)


def runs(arrays: Arrays, students: dict[str, Tensor]) -> int:
    """How often the file's maker added up the gradient of the student's value projection.

    It is not reset before the run with the distillation off, in which it is the same and no other gradient changes.
    So files that hold the gradient have it twice; those that hold only its norm, taken before, have it once.
    """
    keys = [f"grad.{name}" for name in students if f"grad.{name}" in arrays]
    expected = sum(float(np.square(arrays[key]).sum()) for key in keys) ** 0.5
    ours = sum(float(students[key.removeprefix("grad.")].square().sum()) for key in keys) ** 0.5
    return 2 if "loss.distill_flag_off" in arrays and expected > 1.5 * ours else 1


def of_teacher(method: Method, name: str, value: Tensor) -> Tensor:
    """0 for a parameter that the file's options leave out."""
    side, ours = method.teacher_side, ours_of(name)
    return gradient(side.get_parameter(ours)) if ours in side.state_dict() else torch.zeros_like(value)


def of_student(method: Method, name: str, value: Tensor) -> Tensor:
    """Most of the official student's decoder gets no gradient: of a projection only the third of the values."""
    side, ours = method.student_side, student_of(name)
    if ours not in side.state_dict():
        return torch.zeros_like(value)
    found = gradient(side.get_parameter(ours))
    return torch.cat([torch.zeros_like(found)] * 2 + [found]) if "in_proj" in name else found


def before_the_start(arrays: Arrays) -> None:
    method, ours = icd(arrays, start=0.5), leaves_of(arrays, "student")
    terms = method(features(ours), features(leaves_of(arrays, "teacher")), batch_of(arrays), Progress(0, 1, 4, 10))
    compare(terms["loss_distill"], arrays, "loss.distill_flag_off")
    torch.stack(list(terms.values())).sum().backward()
    assert all(leaf.grad is None for leaf in ours.values()), "the student learns before the start"
    assert all(parameter.grad is not None for parameter in method.parameters())


def variant(arrays: Arrays, key: str, option: str, value: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "form": lambda: {"loss_form": form_of(value)},
        "temp": lambda: {"temperature_schedule": "fixed", **temperature_of(float(value))},
        "norm": lambda: {"value_norm": value if value in ("ln", "tln") else "none"},
    }[option]()
    student, teacher = (features(leaves_of(arrays, who)) for who in ("student", "teacher"))
    terms = icd(arrays, **changes)(student, teacher, batch_of(arrays), START)
    compare(terms["loss_distill"], arrays, key)
