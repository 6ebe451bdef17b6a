"""The contract on MGD: positions erased, with 1x1 convolutions, and channels erased, without."""

from kdbench.testing.methods import MethodContract


class TestPositions(MethodContract):
    method = "mgd"
    params = {"alpha_mgd": 2e-5, "lambda_mgd": 0.65, "levels": "all"}
    doubled_batch = "images"
    doubled_params = {**params, "lambda_mgd": 0.0}  # nothing drawn at random is erased


class TestChannels(MethodContract):
    method = "mgd"
    params = {"alpha_mgd": 0.5, "norm": "mean", "mask_on_channel": True, "init_student_head": True}
    families = ("one_stage",)
    equal_channels = True
    processes = False
