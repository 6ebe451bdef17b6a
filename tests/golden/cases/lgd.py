"""LGD: tokens, branch, hint and gradients, driven through the method with the file's weights and options."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, Check, close, gradient, leftovers, same, tensor
from cases.lgd_setup import OFF, ON, built, parameters, setup, weights_of

GIVEN = r"(param|fill|fill_shape|feat|cotangent|gt)\..+|canvas_hw|image_sizes_hw|meta_json"
TOKENS = r"label\.(boxes_used|descriptor)\.\d+|mask\.\w+\.\d+|owner_image"
ENCODER = r"label\.(stn_input|stn_feat|embed|embed_proj)"
BRANCH = r"(appearance|attn_mean|interact|rendered|instructive)\.\w+"
HINT = r"loss\.hint(_flag_off|_level\.\w+)?|adapted\.\w+|grad(norm)?_hint\.(student|adapter)\..+"
DETECTION = r"grad_det\..+"


def cases(arrays: Arrays) -> list[Check]:
    if "meta_json" not in arrays or not any(key.startswith("feat.student.") for key in arrays):
        return []
    found = {
        "tokens": (TOKENS, tokens),
        "encoder": (ENCODER, encoder),
        "branch": (BRANCH, branch),
        "hint": (HINT, hint),
        "detection_gradients": (DETECTION, detection),
    }
    checks = [
        Check(name, partial(run, arrays))
        for name, (pattern, run) in found.items()
        if any(re.fullmatch(pattern, key) for key in arrays)
    ]
    results = {f"out_{key}": value for key, value in arrays.items() if not re.fullmatch(GIVEN, key)}
    return checks + leftovers(results, [f"out_({pattern})" for pattern, _ in found.values()])


def tokens(arrays: Arrays) -> None:
    made = setup(arrays)
    known = made.tokens()
    described = made.method.descriptors(known, made.batch).split(known.counts)
    owners = [image for image, count in enumerate(known.counts) for _ in range(count)]
    compare(arrays, "owner_image", torch.tensor(owners), exact=True)
    for image, boxes in enumerate(known.boxes):
        compare(arrays, f"label.boxes_used.{image}", boxes)
        compare(arrays, f"label.descriptor.{image}", described[image])
    for name, level in made.levels.items():
        for image, mask in enumerate(known.masks(tuple(level.shape[-2:]))):
            compare(arrays, f"mask.{name}.{image}", mask.flatten(1), exact=True)


def encoder(arrays: Arrays) -> None:
    made = setup(arrays, interaction="stuGuided")  # the only ones without labels are those of an ablation
    known, part = made.tokens(), made.method.branch.encoder
    described = made.method.descriptors(known, made.batch)
    compare(arrays, "label.stn_input", part.transform_input.matrices(described))
    features = part.enter(part.transform_input(described))
    compare(arrays, "label.stn_feat", part.transform_features.matrices(features))
    compare(arrays, "label.embed", part(described, known))
    compare(arrays, "label.embed_proj", made.method.branch.embed(described, known))


def branch(arrays: Arrays) -> None:
    made = setup(arrays)
    known, part = made.tokens(), made.method.branch
    labels = part.embed(made.method.descriptors(known, made.batch), known)
    whole = made.instructive()
    for name, level in made.levels.items():
        masks = known.masks(tuple(level.shape[-2:]))
        appearance = part.appearance(level, masks) if hasattr(part, "appearance") else None
        if appearance is not None:
            compare(arrays, f"appearance.{name}", appearance)
        if hasattr(part, "attention"):
            pair = (appearance, labels) if part.interaction == "stuGuided" else (labels, appearance)
            weights = part.attention.weights(*pair, known).mean(1)
            blocks = [block[:count, :count] for block, count in zip(weights, known.counts, strict=True)]
            compare(arrays, f"attn_mean.{name}", torch.block_diag(*blocks)[None])
        related = part.relate(appearance, labels, known)
        compare(arrays, f"interact.{name}", related)
        compare(arrays, f"rendered.{name}", part.mapper.render(related, masks))
        compare(arrays, f"instructive.{name}", whole[name])


def hint(arrays: Arrays) -> None:
    made = setup(arrays)
    for name, level in made.levels.items():
        compare(arrays, f"adapted.{name}", made.method.adapter(level))
        compare(arrays, f"loss.hint_level.{name}", level_hint(arrays, name))
    off = made.hint(OFF)
    compare(arrays, "loss.hint_flag_off", off)
    off.backward()
    assert all(level.grad is None for level in made.neck), "a hint that is off reached the student"
    made = setup(arrays)
    on = made.hint(ON)
    compare(arrays, "loss.hint", on)
    on.backward()
    leaves = {f"student.{name}": level for name, level in made.levels.items()}
    leaves |= {name: value for name, value in parameters(made.method).items() if name.startswith("adapter.")}
    for name, leaf in leaves.items():
        times = passes(arrays) if name.startswith("adapter.") else 1
        compare_gradient(arrays, f"grad_hint.{name}", gradient(leaf) * times)
        compare_gradient(arrays, f"gradnorm_hint.{name}", gradient(leaf).norm())
    reached = [name for name, value in made.method.branch.named_parameters() if value.grad is not None]
    assert not reached, f"the hint reached the branch: {reached}"


def passes(arrays: Arrays) -> int:
    """How often the adapter's gradients were added up when they were written: 1, or 2 in the files we know.

    Those hold the sum of the pass with the hint on and the one with it off, which are equal for the adapter, as
    memory shared with `.grad` does. Norms, and the student's gradients, are of the first alone. That the factor is no
    error of ours follows from the student's gradients, which come through the same adapter.
    """
    key = "grad_hint.adapter.distill.adapter.0.weight"
    if key not in arrays:
        return 1
    made = setup(arrays)
    made.hint(ON).backward()
    ratio = float(np.linalg.norm(arrays[key])) / float(parameters(made.method)[key[10:]].grad.norm())
    return 2 if ratio > 1.5 else 1


def level_hint(arrays: Arrays, name: str) -> Tensor:
    """The unweighted hint of one level alone."""
    made = setup(arrays)
    level, theirs = made.levels[name], made.instructive()[name]
    return made.method.hint([level], [theirs], ON)


def detection(arrays: Arrays) -> None:
    made = setup(arrays)
    maps = made.instructive()
    torch.stack([(level * tensor(arrays[f"cotangent.{name}"])).sum() for name, level in maps.items()]).sum().backward()
    for name, level in made.levels.items():
        compare_gradient(arrays, f"grad_det.student.{name}", gradient(level))
    ours = {name: value for name, value in parameters(made.method).items() if name.startswith("tea.")}
    for name, value in ours.items():
        compare_gradient(arrays, f"grad_det.{name}", gradient(value))
    if "grad_det.tea_without_grad" in arrays:
        official = {name for name in weights_of(arrays) if name.startswith("tea.")}
        without = official - {name for name, value in ours.items() if value.grad is not None}
        expected = {f"tea.{name}" for name in arrays["grad_det.tea_without_grad"].tolist() if name}
        assert without == expected, f"parameters without a gradient: {sorted(without)}, golden {sorted(expected)}"
    unknown = [key for key in arrays if key.startswith("grad_det.tea.") and key[9:] not in built(made.method)]
    assert not unknown, f"the method has no such parameters: {unknown}"


def compare(arrays: Arrays, key: str, actual: Tensor, exact: bool = False) -> None:
    """With the file's array of that name, if there is one."""
    if key not in arrays:
        return
    if exact:
        same(actual, arrays[key], key)
        return
    # Sums over a thousand channels round more than those over a few.
    close(actual, arrays[key], key, atol=2e-4 if "fill.tea.canoni_proj_1D.0.0.weight" in arrays else 5e-5)


def compare_gradient(arrays: Arrays, key: str, actual: Tensor) -> None:
    if key not in arrays:
        return
    expected = arrays[key]
    largest = float(np.abs(expected).max()) if expected.size else 0.0
    # The last bias of the adapter has a gradient of 0, but for rounding.
    atol = 5e-6 if largest < 5e-6 else 5e-5 * largest
    close(actual.reshape(expected.shape), expected, key, rtol=1e-3, atol=atol)
