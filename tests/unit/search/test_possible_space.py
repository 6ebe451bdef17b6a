"""A study's space has no choice that the method would refuse for its detectors."""

from __future__ import annotations

from dataclasses import replace

from kdbench.detectors.families import FAMILIES
from kdbench.methods import registry
from kdbench.search.planning import _possible
from kdbench.specs.space import load_space


def test_choices_that_are_refused_are_left_out() -> None:
    cwd, info = registry.get("cwd"), FAMILIES["retinanet"]
    values = {**cwd.Params().plain(), **cwd.default_params(info)}
    other = FAMILIES["atss"]
    space = load_space("cwd")
    assert _possible(space, cwd, values, info, info).params["source"].choice == ("fpn", "cls")
    assert _possible(space, cwd, values, info, other).params["source"].choice == ("fpn",)


def test_heads_that_do_not_divide_the_width_are_left_out() -> None:
    icd = registry.get("icd")
    info = replace(FAMILIES["retinanet"], neck_channels=(24,) * 5)
    values = {**icd.Params().plain(), **icd.default_params(info)}
    assert _possible(load_space("icd"), icd, values, info, info).params["heads"].choice == (1, 2, 4, 8)
