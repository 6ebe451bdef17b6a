"""Silence for mmcv, which writes hundreds of INFO lines when it initialises a model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_SILENT = "kdbench.detectors.silent"


def _is_news(record: logging.LogRecord) -> bool:
    """Transformers warn that they start from scratch, which is what the caller has asked for."""
    return not record.getMessage().startswith("No pre-trained weights for")


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
    mmdet = logging.getLogger("mmdet")
    mmdet.addFilter(_is_news)
    try:
        yield
    finally:
        mmdet.removeFilter(_is_news)
        logger_initialized.clear()
        logger_initialized.update(before)
