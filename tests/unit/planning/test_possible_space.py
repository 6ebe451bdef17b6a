"""A study's space has no choice that the method would refuse for its detectors, and ranges around their published values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kdbench.detectors.families import FAMILIES
from kdbench.methods import registry
from kdbench.planning.arms import _fitted
from kdbench.specs.space import load_space


def test_choices_that_are_refused_are_left_out() -> None:
    cwd, info = registry.get("cwd"), FAMILIES["retinanet"]
    values = {**cwd.Params().plain(), **cwd.default_params(info)}
    other = FAMILIES["atss"]
    space = load_space("cwd")
    assert _fitted(space, cwd, values, info, info).params["source"].choice == ("fpn", "cls")
    assert _fitted(space, cwd, values, info, other).params["source"].choice == ("fpn",)


def test_heads_that_do_not_divide_the_width_are_left_out() -> None:
    icd = registry.get("icd")
    info = replace(FAMILIES["retinanet"], neck_channels=(24,) * 5)
    values = {**icd.Params().plain(), **icd.default_params(info)}
    assert _fitted(load_space("icd"), icd, values, info, info).params["heads"].choice == (1, 2, 4, 8)


def test_a_relative_range_lies_around_the_published_value() -> None:
    mgd = registry.get("mgd")
    for family, published in (("retinanet", 2e-5), ("faster_rcnn", 5e-7)):
        info = FAMILIES[family]
        values = {**mgd.Params().plain(), **mgd.default_params(info)}
        domain = _fitted(load_space("mgd"), mgd, values, info, info).params["alpha_mgd"]
        assert domain.loguniform == pytest.approx((published / 20, published * 20))
        assert domain.contains(values["alpha_mgd"])
        assert not domain.relative


@pytest.mark.parametrize("family", ["retinanet", "faster_rcnn"])
def test_a_choice_is_judged_where_it_is_searched(family: str) -> None:
    lgd, info = registry.get("lgd"), FAMILIES[family]
    values = {**lgd.Params().plain(), **lgd.default_params(info)}
    space = _fitted(load_space("lgd"), lgd, values, info, info)
    assert space.params["class_code"].choice == ("one_hot", "norm_classes")
    assert space.params["class_code"].when == {"context": False}
    for code in ("one_hot", "norm_classes"):
        lgd.check(lgd.Params.parse({**values, "context": False, "class_code": code}, "test"), info, None)
