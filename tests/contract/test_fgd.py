"""The contract on FGD: all terms, and the focal ones alone without an aligning convolution."""

from kdbench.testing.methods import MethodContract


class TestAllTerms(MethodContract):
    method = "fgd"
    params = {"alpha": 1e-3, "init_student_head": False}
    doubled_batch = "images"


class TestFocalOnEqualWidths(MethodContract):
    method = "fgd"
    params = {"alpha": 1e-3, "lambda_ratio": 0.0, "levels": "all", "box_scale": "pad"}
    families = ("one_stage", "atss")
    equal_channels = True
    zero_on_identical = True
    processes = False
