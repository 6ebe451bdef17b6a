"""The contract on FitNet: FPN levels, and backbone stages with directions compared."""

from kdbench.testing.methods import MethodContract


class TestLevels(MethodContract):
    method = "fitnet"
    params = {"weight": 3.0}
    doubled_batch = "images"


class TestLevelsWithoutAdapters(MethodContract):
    method = "fitnet"
    params = {"weight": 3.0, "adapt": False, "decay": "linear"}
    families = ("one_stage",)
    equal_channels = True
    zero_on_identical = True
    processes = False


class TestBackbone(MethodContract):
    method = "fitnet"
    params = {"weight": 0.0, "backbone_weight": 1.0, "backbone_stages": [1, 3], "normalize": True, "adapt_kernel": 1}
    families = ("one_stage",)
    processes = False
