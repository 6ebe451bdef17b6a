"""torch files written whole: a kill leaves the old one or the new one, and a full disk is said to be full."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEAST = 2**20
"""Free bytes below which a disk counts as full: torch's writer says only that it failed."""


def write_whole(path: Path, content: Any, before: Callable[[], None] = lambda: None) -> None:
    """Save `content` beside `path` and move it there.

    Args:
        before: is called when the new file is on the disk and the old one still has its name.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    import torch

    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        before()
        os.replace(temporary, path)
    except RuntimeError:
        if shutil.disk_usage(path.parent).free < LEAST:  # the half of a file is still there
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)
