"""The fakes that ICD draws, compared with the official sampler's statistics."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from cases import Arrays, Check, close, tensor
from kdbench.methods import registry
from kdbench.methods.base import BoxStatistics, DetectorInfo
from kdbench.methods.icd.instances import Draws

DRAWS = 200_000


def sampler_checks(arrays: Arrays) -> list[Check]:
    if "class_hist" in arrays:
        alike = flat(arrays)
        return [Check("uniform_fakes" if alike else "range_of_fakes", partial(uniform if alike else ranges, arrays))]
    if "xywh_mean" in arrays:
        return [Check("fakes_by_class", partial(by_class, arrays))]
    return []


def flat(arrays: Arrays) -> bool:
    """Alike up to chance: six standard errors of a class's share."""
    histogram = arrays["class_hist"]
    chance = 6 * (len(histogram) / int(arrays["n"])) ** 0.5
    return bool(np.abs(histogram / histogram.mean() - 1).max() < max(0.15, chance))


def drawn(classes: int, count: int, statistics: BoxStatistics | None) -> Draws:
    info = DetectorInfo("one_stage", classes, (16,), (8,), (16,))
    method = registry.build("icd", {} if statistics else {"prior": "uniform"}, info, info)
    method.statistics = statistics
    return method.draw(1, count, torch.device("cpu"))


def near(actual: Tensor, expected: np.ndarray, what: str, error: np.ndarray | float) -> None:
    """Within six standard errors of two means."""
    close(actual, np.asarray(expected, dtype="f4"), what, rtol=0, atol=float(np.max(error)) * 6 * 2**0.5)


def uniform(arrays: Arrays) -> None:
    """Classes alike, sides of mean and deviation 0.2 within two deviations."""
    ranges(arrays)
    n, boxes = int(arrays["n"]), drawn(len(arrays["class_hist"]), DRAWS, None).boxes[0]
    shares = arrays["class_hist"] / arrays["class_hist"].sum()
    near(histogram(drawn(len(shares), n, None), len(shares)), shares, "class_hist", (shares.max() / n) ** 0.5)
    near(boxes.mean(0), arrays["clipped"], "clipped", 0.3 / n**0.5)
    sides = wide(None, len(shares))
    near(sides.mean(0), arrays["wh_mean"], "wh_mean", arrays["wh_std"] / n**0.5)
    near(sides.std(0), arrays["wh_std"], "wh_std", arrays["wh_std"] / n**0.5)
    close(sides.amax(0), arrays["wh_max"], "wh_max", rtol=1e-5)


def ranges(arrays: Arrays) -> None:
    """Limits that every prior reaches: of the sides and of the centre. Official class frequencies are followed.

    The mean sides of such a file are those of a prior that it does not hold.
    """
    n, classes = int(arrays["n"]), len(arrays["class_hist"])
    counts = tensor(arrays["class_hist"]).float()
    broad = BoxStatistics(counts, torch.full((classes, 2), 0.35), torch.full((classes, 2), 0.3))
    found = drawn(classes, DRAWS, broad)
    sides, centre = wide(broad, classes), small(counts)
    shares = arrays["class_hist"] / arrays["class_hist"].sum()
    near(histogram(found, classes), shares, "class_hist", (shares.max() / n) ** 0.5)
    close(sides.amin(0), arrays["wh_min"], "wh_min", rtol=1e-4)
    if not flat(arrays):
        close(sides.amax(0), arrays["wh_max"], "wh_max", rtol=1e-5)
    close(centre.amin(0), arrays["c_min"], "c_min", rtol=1e-4)
    close(centre.amax(0), arrays["c_max"], "c_max", rtol=1e-4)
    near(centre.mean(0), arrays["c_mean"], "c_mean", 0.29 / n**0.5)


def histogram(draws: Draws, classes: int) -> Tensor:
    counts = torch.bincount(draws.labels.flatten(), minlength=classes)
    return counts / counts.sum()


def wide(statistics: BoxStatistics | None, classes: int) -> Tensor:
    """Sides as drawn, (n, 2)."""
    columns = [sides[kept] for sides, kept in unclipped(drawn(classes, 4 * DRAWS, statistics))]
    shortest = min(len(column) for column in columns)
    return torch.stack([column[:shortest] for column in columns], dim=1)


def unclipped(draws: Draws) -> list[tuple[Tensor, Tensor]]:
    """Widths, then heights, of all boxes, and which of them the image's edge has not clipped.

    No side is longer than 0.7, so a centre within [0.35, 0.65] is far enough from the edge; centres and sides are
    drawn apart from each other.
    """
    found = []
    for axis in (0, 1):
        low, high = draws.boxes[0, :, axis], draws.boxes[0, :, axis + 2]
        found.append((high - low, ((low + high - 1).abs() <= 0.3) & (low > 0) & (high < 1)))
    return found


def small(counts: Tensor) -> Tensor:
    """Centres, seen at fakes too small to be clipped."""
    nothing = torch.zeros(len(counts), 2)
    boxes = drawn(len(counts), DRAWS, BoxStatistics(counts, nothing, nothing)).boxes[0]
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def by_class(arrays: Arrays) -> None:
    """Frequencies of the classes, and each class's own sides, in the order of the classes."""
    counts, mean, std = (tensor(arrays[key]).float() for key in ("class_weight", "xywh_mean", "xywh_std"))
    found = drawn(len(counts), DRAWS, BoxStatistics(counts, mean[:, 2:], std[:, 2:]))
    near(histogram(found, len(counts)), (counts / counts.sum()).numpy(), "class_weight", (1 / DRAWS) ** 0.5 / 2)
    z = torch.linspace(-6, 6, 4001)
    density = torch.exp(-z.square() / 2) / torch.exp(-z.square() / 2).sum()
    expected = (mean[:, 2:, None] + z.clamp(-2, 2) * std[:, 2:, None]).clamp(0.002, 0.7) @ density
    for axis, (sides, kept) in enumerate(unclipped(found)):
        labels = found.labels[0][kept]
        number = torch.zeros(len(counts)).index_add_(0, labels, torch.ones(len(labels)))
        average = torch.zeros(len(counts)).index_add_(0, labels, sides[kept]) / number.clamp(min=1)
        wrong = (average - expected[:, axis]).abs() > 6 * std[:, 2 + axis] / number.clamp(min=1).sqrt()
        assert not wrong[number > 20].any(), f"sides of classes {wrong.nonzero().flatten().tolist()} on axis {axis}"
