"""Splits cut out of train, and splits with a limit: seeded, independent of the order in which files were listed."""

from __future__ import annotations

import random

from kdbench.data.raw import RawSplit
from kdbench.data.stratified import by_classes
from kdbench.errors import InputError
from kdbench.specs.dataset import DatasetSpec


def cut(spec: DatasetSpec, name: str, train: RawSplit) -> RawSplit:
    """Take the images of split `name` out of `train` (which loses them) and give them as a split.

    A share of a few images takes one at least and leaves one at least.

    Raises:
        InputError: nothing would be left to train on.
    """
    share = getattr(spec, name).cut
    files = sorted({image.file for image in train.images})
    if len(files) < 2:
        raise InputError(
            f"dataset {spec.name}: {name} is to be cut out of {len(files)} train images; it needs 2 at least, give more images"
        )
    count = min(max(round(share * len(files)), 1), len(files) - 1) if share < 1 else int(share)
    if not 0 < count < len(files):
        raise InputError(
            f"dataset {spec.name}: {name} cuts {count} of {len(files)} train images; give a smaller or larger 'cut'"
        )
    stream = random.Random(f"{spec.cut_seed}/{name}")
    if spec.cut_by == "classes":
        chosen = by_classes({image.file: image.boxes for image in train.images}, count, stream)
    else:
        chosen = set(stream.sample(files, count))
    taken = [image for image in train.images if image.file in chosen]
    train.images = [image for image in train.images if image.file not in chosen]
    return RawSplit(train.folder, taken, names=train.names, as_annotated=train.as_annotated)


def limited(spec: DatasetSpec, name: str, split: RawSplit) -> RawSplit:
    """The split with at most its `limit` of images."""
    limit = getattr(spec, name).limit
    files = sorted({image.file for image in split.images})
    if limit is None or limit >= len(files):
        return split
    chosen = set(random.Random(f"{spec.cut_seed}/{name}/limit").sample(files, limit))
    split.images = [image for image in split.images if image.file in chosen]
    return split
