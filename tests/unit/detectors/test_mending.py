"""Where mmdet does not go with what random weights give."""

from __future__ import annotations

import pytest
import torch

from kdbench import ops
from kdbench.detectors import mending


@pytest.mark.parametrize("box", [[70.0, 5.0, 90.0, 20.0], [5.0, 80.0, 20.0, 99.0], [-30.0, 5.0, -9.0, 20.0]])
def test_the_mask_of_a_box_that_misses_the_image(box: list[float]) -> None:
    """shared/failing/46: QueryInst's first evaluation; mmdet's own paste has no pixel to paste into."""
    ops.install()
    mending.install()
    from mmdet.models.roi_heads.mask_heads import fcn_mask_head

    masks = torch.ones(1, 1, 28, 28)
    whole = torch.zeros(1, 48, 64)
    pasted, place = fcn_mask_head._do_paste_mask(masks, torch.tensor([box]), 48, 64, skip_empty=True)
    whole[(slice(0, 1), *place)] = pasted
    assert whole.sum() == 0
    inside = torch.tensor([[4.0, 5.0, 24.0, 21.0]])
    pasted, place = fcn_mask_head._do_paste_mask(masks, inside, 48, 64, skip_empty=True)
    whole[(slice(0, 1), *place)] = pasted
    assert (whole >= 0.5).sum() == 20 * 16
