"""Weights from the web, kept in the torch hub cache."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlparse

from kdbench.errors import InputError

HASHED = re.compile(r"-([0-9a-f]{8,})\.pth$")
"""mmdet's and torchvision's file names end with the start of the file's SHA-256."""


def download(url: str, what: str) -> Path:
    """The cached file behind `url`, fetched if it is not there yet; a hash in its name is checked.

    Raises:
        InputError: it cannot be fetched, or arrives damaged.
    """
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    name = Path(urlparse(url).path).name or "weights.pth"
    match = HASHED.search(name)
    if match is None:
        # Two addresses may end in the same name; only a hash in it makes the name an identity.
        name = f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"
    target = folder / name
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(target), hash_prefix=match.group(1) if match else None, progress=False)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"{what}: {url} cannot be fetched ({reason}); check the address and the network, or give a local file"
        ) from None
    return target
