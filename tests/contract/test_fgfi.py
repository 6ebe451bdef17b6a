"""The contract on FGFI: FPN levels with the head's anchors, one without anchors, and the original on a backbone stage."""

import torch

from kdbench.methods.fgfi.masks import rpn_anchors
from kdbench.testing import detectors
from kdbench.testing.methods import MethodContract


def test_a_head_without_anchors_gets_an_rpns() -> None:
    _, info = detectors.detector("two_stage")
    assert info.base_anchors
    torch.testing.assert_close(torch.tensor(rpn_anchors(info.neck_strides)), torch.tensor(info.base_anchors))


class TestLevels(MethodContract):
    method = "fgfi"
    params = {"weight": 3.0}


class TestLevelsWithoutAdapters(MethodContract):
    method = "fgfi"
    params = {"weight": 3.0, "adapt": False, "difference": "l1", "decay": "cosine"}
    families = ("one_stage",)
    equal_channels = True
    zero_on_identical = True
    processes = False


class TestWithoutAnchors(MethodContract):
    method = "fgfi"
    params = {"weight": 3.0, "norm": "position"}
    families = ("fcos",)
    processes = False


class TestOriginal(MethodContract):
    method = "fgfi"
    params = {"flavour": "original", "weight": 0.1, "norm": "position", "adapt_relu": True}
    families = ("two_stage",)
    processes = False
    autocast_rtol = 0.2
