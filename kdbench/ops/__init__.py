"""mmcv's compiled operators, provided by torchvision where mmcv was installed without compiling them.

Every module of `mmcv.ops` asks `mmcv._ext` for its functions by name when it is imported. `install` sees to it that
there is one: the compiled extension if this machine has it, otherwise a module of the same functions on torchvision,
which comes compiled for every torch release, on the CPU and on CUDA.

Example:
    >>> from kdbench import ops
    >>> ops.install()  # before the first import of mmcv.ops, in every process
    >>> from mmcv.ops import nms, roi_align
"""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from types import ModuleType

NAME = "mmcv._ext"


def install() -> ModuleType:
    """Makes `import mmcv.ops` work, and returns the module that serves its operators.

    A module that is there already (an earlier call, a compiled extension in use) stays. A compiled extension that
    cannot be loaded, for instance one built against another torch, is reported by a warning and replaced.

    Raises:
        ModuleNotFoundError: mmcv itself, or torchvision, is not installed.
    """
    present = sys.modules.get(NAME)
    if present is not None:
        return present
    _import_quietly()
    # mmdet's heads call their own parts by names that mmdet has given up, and say so in each process.
    warnings.filterwarnings("ignore", message="DeprecationWarning: ", module=r"mmdet\.")
    try:
        return importlib.import_module(NAME)
    except ModuleNotFoundError as error:
        if error.name != NAME:
            raise
    except ImportError as error:
        warnings.warn(
            f"the compiled operators of mmcv do not load ({error}); using torchvision's. "
            "Rebuild mmcv-full for this torch to use them again",
            RuntimeWarning,
            stacklevel=2,
        )

    from kdbench.ops import extension

    module = extension.build(NAME)
    sys.modules[NAME] = module
    sys.modules["mmcv"]._ext = module  # type: ignore[attr-defined]
    return module


def _import_quietly() -> None:
    """Import mmcv without what it says each time: that it is an old line, and that a machine has no CUDA compiler."""
    builder = logging.getLogger("torch.utils.cpp_extension")
    level = builder.level
    builder.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("mmcv")
            importlib.import_module("mmcv.utils")
    finally:
        builder.setLevel(level)


def backend() -> str:
    """Who serves mmcv's operators in this process: `compiled`, `torchvision`, or `none` before `install`.

    Example:
        >>> backend()
        'torchvision'
    """
    module = sys.modules.get(NAME)
    if module is None:
        return "none"
    return "torchvision" if getattr(module, "__kdbench__", False) else "compiled"
