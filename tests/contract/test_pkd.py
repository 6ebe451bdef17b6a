"""The contract on PKD: with 1x1 convolutions on every level, and without any."""

from kdbench.testing.methods import MethodContract


class TestEveryLevel(MethodContract):
    method = "pkd"
    params = {"weight": 6.0, "levels": "all"}
    doubled_batch = None  # the statistics are those of each process's own images


class TestEqualChannels(MethodContract):
    method = "pkd"
    params = {"weight": 10.0, "decay": "linear"}
    equal_channels = True
    zero_on_identical = True
    processes = False
