"""`none` is plain training of the student: the contract on the baseline."""

from kdbench.testing.methods import MethodContract


class TestNone(MethodContract):
    method = "none"
