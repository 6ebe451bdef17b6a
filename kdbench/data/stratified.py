"""A draw of images that has its share of every class.

Reference: Sechidis, Tsoumakas, Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011: the class that
fewest of the images left have is dealt out first, each of its images to the side that lacks it most.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from kdbench.data.raw import Box

EMPTY = ""
"""Stands as a class for images without objects, which are shared out too."""


def by_classes(images: Mapping[str, Sequence[Box]], count: int, stream: random.Random) -> set[str]:
    """Draw `count` of the images, stratified over the classes of their objects.

    A class that two images have is on both sides, one that a single image has stays with the images that are not
    drawn; where the number of images does not allow it, as far as it can be.

    Args:
        images: boxes by file; crowd counts as no object.
    """
    labels = {f: {box.name for box in boxes if not box.crowd} or {EMPTY} for f, boxes in images.items()}
    order = sorted(labels)
    stream.shuffle(order)
    share = count / len(order)
    left = Counter(label for file in order for label in labels[file])
    wanted = {label: _part(number, share) for label, number in left.items()}
    lacking = {label: left[label] - number for label, number in wanted.items()}
    holders: dict[str, list[str]] = defaultdict(list)
    for file in order:
        for label in labels[file]:
            holders[label].append(file)
    drawn: set[str] = set()
    dealt: set[str] = set()
    while len(dealt) < len(order):
        label = min((label for label in left if left[label]), key=lambda label: (left[label], label))
        for file in holders[label]:
            if file in dealt:
                continue
            dealt.add(file)
            room = len(drawn) < count and len(dealt) - len(drawn) <= len(order) - count
            if not room:
                take = len(drawn) < count
            else:
                # Of what it is to have in the end, the side that has the smaller part goes first.
                need = wanted[label] / max(share, 1e-9), lacking[label] / max(1 - share, 1e-9)
                take = need[0] > need[1] or (need[0] == need[1] and stream.random() < share)
            if take:
                drawn.add(file)
            side = wanted if take else lacking
            for other in labels[file]:
                side[other] -= 1
                left[other] -= 1
    return drawn


def _part(number: int, share: float) -> float:
    """How many of the images with a class are wanted: one at least where another one stays."""
    return min(max(share * number, 1.0), number - 1.0) if number >= 2 else 0.0
