"""A recipe's dataset as its run in MLflow names it: each split with the identity of its annotations."""

from __future__ import annotations

from functools import lru_cache

from kdbench.data import Prepared
from kdbench.detectors.digest import digest
from kdbench.specs.dataset import SPLITS, DatasetSpec
from kdbench.tracking.datasets import Split

LENGTH = 12


def splits_of(spec: DatasetSpec, data: Prepared | None) -> tuple[Split, ...]:
    """The splits of a prepared dataset; none where it is not prepared here."""
    if data is None:
        return ()
    found = []
    for name in SPLITS:
        files = data.splits[name]
        identity = _digest(str(files.annotations))
        found.append(Split(spec.name, name, identity, files.num_images, files.num_boxes, spec.kind))
    return tuple(found)


@lru_cache(maxsize=256)
def _digest(path: str) -> str:
    """Of a prepared file, which never changes."""
    return digest(path)[:LENGTH]
