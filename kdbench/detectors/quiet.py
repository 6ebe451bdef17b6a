"""Silence for mmcv, which writes hundreds of INFO lines when it initialises a model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_SILENT = "kdbench.detectors.silent"


@contextmanager
def quiet_mmcv() -> Iterator[None]:
    """Send mmcv's model initialisation messages nowhere while the block runs.

    mmcv writes to the first logger that it has ever set up. For the block that is one of ours without an output; no
    other logger's level or handlers are touched, and mmcv's list of loggers is put back.
    """
    from mmcv.utils.logging import logger_initialized

    silent = logging.getLogger(_SILENT)
    silent.propagate = False
    silent.handlers = [logging.NullHandler()]
    before = dict(logger_initialized)
    logger_initialized.clear()
    # Naming mmcv and mmdet keeps mmcv from adding handlers to them and from changing those of the root logger.
    logger_initialized.update({_SILENT: True, "mmcv": True, "mmdet": True, **before})
    try:
        yield
    finally:
        logger_initialized.clear()
        logger_initialized.update(before)
