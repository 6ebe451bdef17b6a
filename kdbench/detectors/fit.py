"""Do these weights belong to this detector? The answer is None or the reason why not, in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

CLASS_LAYERS = re.compile(r"cls|conv_logits|fc_logits|fc_reg|heatmap")
"""Parts of names of layers whose size follows from the number of classes."""

SAME = "use weights trained on the same classes"
CONFIG = "use the config it was trained with"


def classes_differ(given: Sequence[str] | None, wanted: Sequence[str] | None) -> str | None:
    """Compare the class names of a checkpoint with those of the data.

    Example:
        >>> classes_differ(["cat"], ["cat", "dog"])
        'was trained on 1 class (cat), the data has 2 classes (cat, dog); use weights trained on the same classes'
    """
    if not given or wanted is None or tuple(given) == tuple(wanted):
        return None
    if isinstance(given, str):  # mmdet keeps a single class as a plain string at times
        return classes_differ([given], wanted)
    if sorted(given) == sorted(wanted):
        order = f"{_list(given)} and not {_list(wanted)}"
        return f"has the same classes in another order ({order}); put the data's classes in the order of the weights"
    theirs, ours = f"{_count(given)} ({_list(given)})", f"{_count(wanted)} ({_list(wanted)})"
    return f"was trained on {theirs}, the data has {ours}; {SAME}"


def weights_differ(model: nn.Module, state: dict[str, Tensor]) -> str | None:
    """Compare names, shapes and values of weights with what the model has."""
    own = model.state_dict()
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    extra = [name for name in state if name not in own and not name.endswith("num_batches_tracked")]
    shapes = [name for name in own if name in state and state[name].shape != own[name].shape]
    if missing or extra:
        first = f"{missing[0]} is missing" if missing else f"{extra[0]} is not in the model"
        counts = f"{len(missing)} of {len(own)} weights missing, {len(extra)} unknown, {len(shapes)} of another shape"
        return f"belongs to another architecture: {first} ({counts}); {CONFIG}"
    if shapes:
        name = shapes[0]
        both = f"{name} is {tuple(state[name].shape)} and not {tuple(own[name].shape)}"
        if all(CLASS_LAYERS.search(shape) for shape in shapes):
            return f"was trained on {_classes_of(model, state, own, shapes)}: {both}; {SAME}"
        return f"belongs to another architecture: {both} ({len(shapes)} of {len(own)} weights differ); {CONFIG}"
    for name, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            return f"{name} has NaN or infinite values; use weights of a training that did not diverge"
    return None


def _classes_of(model: nn.Module, state: dict[str, Tensor], own: dict[str, Tensor], shapes: list[str]) -> str:
    """The number of classes in the checkpoint against the model's, as far as a layer's size tells."""
    for name in shapes:
        parent = name.rsplit(".", 2)[0]
        while parent and getattr(model.get_submodule(parent), "num_classes", None) is None:
            parent = parent.rpartition(".")[0]
        wanted = getattr(model.get_submodule(parent), "num_classes", None) if parent else None
        if not wanted or "reg" in name.rsplit(".", 2)[-2]:
            continue
        theirs, ours = state[name].shape[0], own[name].shape[0]
        if ours == wanted + 1:  # softmax: one more for the background
            return f"{theirs - 1} classes and not {wanted}"
        if ours % wanted == 0 and theirs % (ours // wanted) == 0:  # one row a class and anchor
            return f"{theirs // (ours // wanted)} classes and not {wanted}"
    return "another number of classes"


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} class" + ("" if len(names) == 1 else "es")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(map(str, names[:4]))
    return shown + (", ..." if len(names) > 4 else "")
