"""FGD where no golden file looks: overlapping boxes, images without any, parts that are off, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench.errors import InputError
from kdbench.methods import registry
from kdbench.methods.base import Batch, DetectorInfo, Features, Progress
from kdbench.methods.fgd import masks as fgd_masks

ONE = DetectorInfo("one_stage", 3, (4, 4), (8, 16), (4, 8, 16, 32))
WIDE = DetectorInfo("one_stage", 3, (6, 6), (8, 16), (8, 16, 32, 64))
BOXES = [torch.tensor([[0.0, 0.0, 32.0, 16.0], [8.0, 8.0, 14.0, 14.0]]), torch.zeros((0, 4))]


def test_the_smaller_object_wins_and_its_cells_reach_one_past_its_edge() -> None:
    fg, bg = fgd_masks.focal_weights(BOXES, [(32, 32), (32, 32)], (4, 4))
    large, small = 1 / (3 * 5), 1 / 4
    expected = torch.tensor([[large] * 4, [large, small, small, large], [large, small, small, large], [0.0] * 4])
    torch.testing.assert_close(fg[0], expected)
    torch.testing.assert_close(bg[0], torch.tensor([[0.0] * 4] * 3 + [[0.25] * 4]))
    assert fg[1].sum() == 0
    torch.testing.assert_close(bg[1], torch.full((4, 4), 1 / 16))


def test_many_boxes_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fgd_masks.focal_weights(BOXES, [(32, 32)] * 2, (4, 4))
    monkeypatch.setattr(fgd_masks, "CHUNK", 16)
    assert all(map(torch.equal, whole, fgd_masks.focal_weights(BOXES, [(32, 32)] * 2, (4, 4))))


def test_parts_that_are_off_have_no_parameters_and_no_terms() -> None:
    method = registry.build("fgd", {"alpha": 1e-3, "lambda_ratio": 0.0, "gamma_ratio": 0.0, "levels": "all"}, ONE, WIDE)
    assert {name.split(".")[0] for name, _ in method.named_parameters()} == {"aligners"}
    ours = Features(neck=(torch.rand(2, 4, 4, 4), torch.rand(2, 4, 2, 2)))
    theirs = Features(neck=(torch.rand(2, 6, 4, 4), torch.rand(2, 6, 2, 2)))
    batch = Batch((32, 32), [(32, 32)] * 2, BOXES, [torch.zeros(2).long(), torch.zeros(0).long()], [])
    assert set(method(ours, theirs, batch, Progress(0, 1, 0, 1))) == {"loss_fgd_fg", "loss_fgd_bg"}


def test_weights_are_inherited_where_the_heads_agree() -> None:
    assert registry.build("fgd", {"levels": "all"}, ONE, ONE).inherits
    assert not registry.build("fgd", {"levels": "all"}, ONE, WIDE).inherits
    assert not registry.build("fgd", {"alpha": 0.0}, ONE, ONE).inherits


def test_published_values_follow_the_head() -> None:
    fcos = DetectorInfo("one_stage", 3, (4,) * 5, (8, 16, 32, 64, 128), (4,) * 4, head="FCOSHead")
    values = registry.get("fgd").default_params(fcos)
    assert (values["alpha"], values["temperature"]) == (1.6e-3, 0.8)


@pytest.mark.parametrize(
    ("values", "words"), [({"levels": [2]}, "has 2 FPN levels"), ({"temperature": 0.0}, "temperature")]
)
def test_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        registry.build("fgd", values, ONE, WIDE)
