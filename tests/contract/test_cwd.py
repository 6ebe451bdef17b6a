"""The contract on CWD: FPN maps with and without 1x1 convolutions, and class maps."""

from typing import Any

from kdbench.testing.methods import MethodContract


class TestFpn(MethodContract):
    method = "cwd"
    params = {"weight": 10.0}
    doubled_batch = "images"


class TestFpnOfEqualChannels(MethodContract):
    method = "cwd"
    params = {"weight": 5.0, "tau": 2.0, "levels": "first_4"}
    equal_channels = True
    zero_on_identical = True
    processes = False


class TestClassMaps(MethodContract):
    method = "cwd"
    params = {"weight": 5.0, "source": "cls"}
    families = ("one_stage", "fcos", "gfl")
    zero_on_identical = True
    processes = False

    def batch(self, family: Any, *args: Any, **more: Any) -> dict[str, Any]:
        """Twice as large: these heads' own batch normalisation needs more than one cell on the coarsest level."""
        height, width = more.pop("size", (64, 96))
        return super().batch(family, *args, size=(2 * height, 2 * width), **more)
