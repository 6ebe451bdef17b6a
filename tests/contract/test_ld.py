"""The contract on LD, on the heads that it is for."""

from kdbench.testing.methods import MethodContract


class TestFull(MethodContract):
    method = "ld"
    params = {"w_ld": 0.25, "w_vlr": 0.25, "w_kd": 10.0}
    families = ("gfl",)
    zero_on_identical = True
    doubled_params = {"w_ld": 0.0, "w_kd": 10.0}  # the others are sums over rows: two halves' mean is half of the whole


class TestClassLogits(MethodContract):
    method = "ld"
    params = {"w_ld": 0.0, "w_kd": 10.0}
    families = ("gfl",)
    processes = False
