"""Who serves mmcv's operators: installed once, a compiled extension first, a plain error for what is missing."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import mmcv.ops
import pytest
import torch
from mmcv.utils.ext_loader import check_ops_exist

from kdbench import ops
from kdbench.ops.extension import OPERATORS, MissingOperatorError, build


def run(code: str) -> str:
    """What the code prints in a Python of its own."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_install_twice_gives_the_same_module() -> None:
    assert ops.install() is ops.install() is sys.modules["mmcv._ext"]
    assert mmcv.ops.nms.__module__ == "mmcv.ops.nms"


@pytest.mark.skipif(ops.backend() == "compiled", reason="mmcv is compiled here")
class TestTorchvision:
    def test_mmcv_knows_that_it_has_operators(self) -> None:
        # mmcv's optimizer constructor finds deformable convolutions only if so.
        assert ops.backend() == "torchvision"
        assert check_ops_exist()
        assert "torchvision" in mmcv.ops.get_compiler_version()

    def test_a_missing_operator_says_how_to_get_it(self) -> None:
        pool = mmcv.ops.CARAFE(kernel_size=3, group_size=1, scale_factor=2)
        with pytest.raises(
            MissingOperatorError, match=r"'carafe_forward'.*mmcv-full==1.7.2.*torch " + torch.__version__[:4]
        ):
            pool(torch.zeros(1, 2, 4, 4), torch.zeros(1, 9, 8, 8))

    def test_private_names_are_not_operators(self) -> None:
        module = build("anything")
        assert set(OPERATORS) <= set(vars(module))
        assert not hasattr(module, "__path__")
        assert not hasattr(module, "_private")


def test_before_install_nobody_serves() -> None:
    assert (
        run("from kdbench import ops, errors; print(ops.backend(), 'torch' in __import__('sys').modules)")
        == "none False"
    )


def test_a_compiled_extension_already_loaded_stays() -> None:
    code = """
        import sys, types
        compiled = sys.modules["mmcv._ext"] = types.ModuleType("mmcv._ext")
        from kdbench import ops
        print(ops.install() is compiled, ops.backend())
    """
    assert run(code) == "True compiled"


@pytest.mark.parametrize(
    ("body", "expected"),
    [("pass", "compiled 0"), ("raise ImportError('undefined symbol: _ZN2at')", "torchvision 1")],
    ids=["loads", "built for another torch"],
)
def test_a_compiled_extension_is_preferred_if_it_loads(body: str, expected: str) -> None:
    code = f"""
        import importlib.abc, importlib.util, sys, warnings

        class Compiled(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, name, path=None, target=None):
                return importlib.util.spec_from_loader(name, self) if name == "mmcv._ext" else None
            def exec_module(self, module):
                {body}

        sys.meta_path.insert(0, Compiled())
        from kdbench import ops
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ops.install()
        print(ops.backend(), sum("do not load (undefined symbol" in str(w.message) for w in caught))
    """
    assert run(code) == expected
