"""Every method on every detector family: a training step, or a refusal that says why, before anything is built."""

from __future__ import annotations

import pytest
import torch

from kdbench.detectors.families import FAMILIES
from kdbench.methods import registry
from kdbench.methods.suits import refusal
from kdbench.testing import detectors, training

SMALL = {config.split("/")[0]: family for family, config in detectors.CONFIGS.items()}
TALKS_OF = ("family", "head", "neck_strides", "bins", "masks", "roi_logits", "kind")


@pytest.mark.parametrize("folder", FAMILIES)
def test_what_is_told_of_a_family_is_true(folder: str) -> None:
    _, built = detectors.detector(SMALL[folder])
    told = FAMILIES[folder]
    assert {name: getattr(told, name) for name in TALKS_OF} == {name: getattr(built, name) for name in TALKS_OF}
    assert [len(level) for level in told.base_anchors] == [len(level) for level in built.base_anchors]
    assert told.score_channels * built.num_classes == built.score_channels * told.num_classes


@pytest.mark.parametrize("folder", FAMILIES)
@pytest.mark.parametrize("name", registry.names())
def test_a_step_or_a_refusal(name: str, folder: str) -> None:
    torch.set_num_threads(1)
    method, family = registry.get(name), SMALL[folder]
    _, info = detectors.detector(family)
    values = {**method.Params().plain(), **method.default_params(info)}
    reason = refusal(method, info)
    assert bool(reason) == bool(refusal(method, FAMILIES[folder])), "small and real networks of a family differ"
    if reason:
        assert reason.startswith(f"method {name}"), reason
        assert ";" in reason, f"a refusal names the alternatives: {reason}"
        return
    distiller = training.build_distiller(name, values, family)
    before = {key: value.clone() for key, value in distiller.student.state_dict().items()}
    data = detectors.batch((2, 3), size=(128, 160), masks=detectors.has_masks(family))
    (log,) = training.train(distiller, [data], "SGD")
    assert all(value == value and abs(value) != float("inf") for value in log.values()), log
    assert training.first_difference(before, dict(distiller.student.state_dict())) is not None, "nothing was learnt"


def test_every_built_in_method_has_a_search_space() -> None:
    from kdbench.specs import resources

    assert set(registry.BUILT_IN) == set(resources.names("search_spaces"))
