"""The weights of a completed training are looked at before they are shown, exported or taken over."""

from __future__ import annotations

from kdbench.errors import InputError
from kdbench.search.finding import Trained
from kdbench.training.checkpoints import set_aside


def spoilt(one: Trained) -> str | None:
    """What is wrong with a training's student.pth, in a line, once it has been set aside; None where it is whole or gone."""
    file = one.workdir / "student.pth"
    if not file.exists():
        return None
    from kdbench.detectors.weights import damage

    reason = damage(file, one.recipe.hash)
    if reason is None:
        return None
    return f"trial {one.name}: {file}: {reason}; it is set aside as {set_aside(file).name}"


def check_whole(one: Trained) -> None:
    """See that a training's weights are what it wrote.

    Raises:
        InputError: they are not; the file has been set aside.
    """
    line = spoilt(one)
    if line is not None:
        raise InputError(f"{line}; put it back from a copy, or train the recipe again")
