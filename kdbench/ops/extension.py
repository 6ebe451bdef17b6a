"""The module that stands in for `mmcv._ext`: the operators on torchvision, and a plain error for every other one."""

from __future__ import annotations

import importlib.abc
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any, NoReturn

import torch
import torchvision

from kdbench.errors import RunError
from kdbench.ops import attention, boxes, deform, focal, nms, roi


class MissingOperatorError(RunError):
    """A model calls an operator of mmcv that only a compiled mmcv-full has."""


def get_compiler_version() -> str:
    """What `mmcv.utils.collect_env` prints for the compiler."""
    return f"none (operators by torchvision {torchvision.__version__})"


def get_compiling_cuda_version() -> str:
    """What `mmcv.utils.collect_env` prints for CUDA."""
    return str(torch.version.cuda or "not available")


OPERATORS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        nms.nms,
        nms.softnms,
        nms.nms_match,
        boxes.bbox_overlaps,
        roi.roi_align_forward,
        roi.roi_align_backward,
        roi.roi_pool_forward,
        roi.roi_pool_backward,
        focal.sigmoid_focal_loss_forward,
        focal.sigmoid_focal_loss_backward,
        focal.softmax_focal_loss_forward,
        focal.softmax_focal_loss_backward,
        deform.deform_conv_forward,
        deform.deform_conv_backward_input,
        deform.deform_conv_backward_parameters,
        deform.modulated_deform_conv_forward,
        deform.modulated_deform_conv_backward,
        attention.ms_deform_attn_forward,
        attention.ms_deform_attn_backward,
        get_compiler_version,
        get_compiling_cuda_version,
    )
}
"""Every operator provided, by the name that mmcv asks for."""


def missing(name: str) -> Callable[..., NoReturn]:
    """A function that tells, when it is called, that the operator `name` is not there and how to get it.

    mmcv looks all its operators up when it is imported, those no model uses too: so a lookup must succeed.
    """

    def operator(*_args: Any, **_kwargs: Any) -> NoReturn:
        cuda = f" and CUDA {torch.version.cuda}" if torch.version.cuda else ""
        raise MissingOperatorError(
            f"mmcv operator '{name}' is not provided by torchvision; it needs a compiled mmcv-full: install "
            f"mmcv-full==1.7.2 from source with MMCV_WITH_OPS=1, built against torch {torch.__version__}{cuda}"
        )

    operator.__name__ = name
    return operator


class Loader(importlib.abc.Loader):
    """Fills a module with all of `OPERATORS`; any other public name gives `missing`.

    A loader, because mmcv asks importlib for one to learn whether it has operators (`check_ops_exist`: learning rates
    of deformable convolutions depend on it).
    """

    def exec_module(self, module: ModuleType) -> None:
        def lookup(attribute: str) -> Callable[..., NoReturn]:
            if attribute.startswith("_"):  # Python's own questions: __path__, __wrapped__, ...
                raise AttributeError(f"module {module.__name__!r} has no attribute {attribute!r}")
            return missing(attribute)

        module.__dict__.update(OPERATORS, __getattr__=lookup, __kdbench__=True, __doc__=__doc__)


def build(name: str) -> ModuleType:
    """A new module called `name` that serves the operators; putting it into `sys.modules` is the caller's."""
    loader = Loader()
    module = module_from_spec(ModuleSpec(name, loader, origin="kdbench.ops"))
    loader.exec_module(module)
    return module
