"""A trial's detections beside ground truth, teacher and baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.data import Prepared, prepare
from kdbench.detectors import teachers
from kdbench.errors import InputError
from kdbench.outcome.matching import hits, score
from kdbench.search.finding import Trained, find, trainings
from kdbench.specs import metrics
from kdbench.specs.study import BASELINE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.leaderboard.pictures import Column
    from kdbench.outcome.looking import Truth

POOL = 8
"""Of how many images of the split, for each that is shown, the most telling are chosen: a look, not an evaluation."""
LEGEND = "green: ground truth, and detections that hit it (IoU 0.5); orange: false ones; dashed grey: not counted"


@dataclass(frozen=True)
class Shown:
    """A picture, and what could not be in it."""

    title: str
    png: bytes
    notes: list[str]


def show(
    storage: Path,
    name: str,
    *,
    images: int = 4,
    split: str = "search",
    threshold: float = 0.3,
    first: bool = False,
    data_root: Path | None = None,
) -> Shown:
    """Draw images of a split with ground truth and the detections of teacher, baseline and student.

    Args:
        name: STUDY/TRIAL, TRIAL, or the start of a recipe's hash.
        threshold: detections of a lower score are left out.
        first: the split's first images; else, of its first `8 * images`, those where student and baseline (without one,
            student and ground truth) differ most in their F1 score at IoU 0.5.

    Raises:
        InputError: no such trial, its weights are gone, or its data is not there.
    """
    trial = find(storage, name)
    if not trial.completed:
        raise InputError(
            f"{trial.name} is {trial.end or 'not finished'} or its weights are gone; show a completed trial"
        )
    from kdbench.leaderboard.pictures import draw
    from kdbench.outcome.looking import detections, ground_truth
    from kdbench.outcome.whole import check_whole, spoilt

    check_whole(trial)
    recipe = trial.recipe
    notes: list[str] = []
    data = prepare(recipe.dataset, storage, data_root or trial.data_root)
    models: list[tuple[str, Trained | None, Path]] = []
    if recipe.teacher is not None and teachers.sound(storage, recipe.teacher.id, notes.append):
        models.append(("teacher", None, teachers.weights_file(storage, recipe.teacher)))
    baseline = None if recipe.method.name == BASELINE else _baseline(storage, trial)
    damaged = spoilt(baseline) if baseline is not None else None
    if damaged is not None:
        baseline, notes = None, [*notes, damaged]
    if baseline is not None:
        models.append((f"baseline {baseline.trial}", baseline, baseline.workdir / "student.pth"))
    elif recipe.method.name != BASELINE:
        notes.append("no completed plain training of this detector is there to show as the baseline")
    models.append((trial.trial, trial, trial.workdir / "student.pth"))

    pool = range(min(images * (1 if first else POOL), data.splits[split].num_images))
    truths = ground_truth(recipe, data, split, pool)
    found = []
    for title, one, weights in models:
        source = one.recipe if one is not None else recipe
        boxes = detections(source, data, weights, split, pool, teacher=one is None)
        found.append((title, one, [b[b[:, 4] >= threshold] for b in boxes]))
    chosen = list(range(len(truths)))[:images] if first else _telling(truths, [b for _, _, b in found], images)
    columns = [_truth_column(truths, data, chosen)]
    columns += [_column(_heading(title, one, split), truths, boxes, data, chosen) for title, one, boxes in found]
    names = [truths[index].file.name for index in chosen]
    png = draw(names, [truths[index].pixels() for index in chosen], columns, f"{LEGEND}; score from {threshold:g}")
    return Shown(f"{trial.name} on the {split} split", png, notes)


def _baseline(storage: Path, trial: Trained) -> Trained | None:
    """The best plain training of the same detector on the same data: of the trial's study, else of any."""
    for study in (trial.study, None):
        near = [
            one
            for one in trainings(storage, study)
            if one.completed
            and one.stage != "teacher"
            and one.recipe.method.name == BASELINE
            and (one.recipe.student, one.recipe.dataset, one.recipe.pipeline)
            == (trial.recipe.student, trial.recipe.dataset, trial.recipe.pipeline)
        ]
        if near:
            return max(near, key=lambda one: metrics.merit(one.recipe.metric, _last(one, "search") or 0.0))
    return None


def _last(one: Trained, split: str) -> float | None:
    """The metric of a training's last weights."""
    name = one.recipe.metric
    if split == "report":
        return one.summary.get(f"report/{name}")
    return one.reports[max(one.reports)].get(f"val/{name}") if one.reports else None


def _telling(truths: Sequence[Truth], boxes: Sequence[Sequence[NDArray[np.float32]]], count: int) -> list[int]:
    """Where the student's score is furthest from the baseline's; both of ways, the largest first."""
    student, other = boxes[-1], boxes[-2] if len(boxes) > 1 else None

    def distance(index: int) -> float:
        own = score(student[index], truths[index])
        return abs(own - (score(other[index], truths[index]) if other is not None else 1.0))

    return sorted(range(len(truths)), key=lambda index: (-distance(index), index))[:count]


def _heading(title: str, one: Trained | None, split: str) -> str:
    figure = _last(one, split) if one is not None else None
    return title if figure is None or one is None else f"{title}\n{one.recipe.metric} {figure:.3f} on {split}"


def _truth_column(truths: Sequence[Truth], data: Prepared, chosen: Sequence[int]) -> Column:
    from kdbench.leaderboard.pictures import IGNORED, TRUE, Column, Drawn

    rows = []
    for index in chosen:
        truth = truths[index]
        counted = [
            Drawn(tuple(map(float, box)), data.classes[label], TRUE)
            for box, label in zip(truth.boxes, truth.labels, strict=True)
        ]
        rows.append(counted + [Drawn(tuple(map(float, box)), "", IGNORED, dashed=True) for box in truth.ignored])
    return Column("ground truth", rows)


def _column(
    title: str,
    truths: Sequence[Truth],
    boxes: Sequence[NDArray[np.float32]],
    data: Prepared,
    chosen: Sequence[int],
) -> Column:
    from kdbench.leaderboard.pictures import TRUE, WRONG, Column, Drawn

    rows = []
    for index in chosen:
        right = hits(boxes[index], truths[index])
        rows.append(
            [
                Drawn(
                    tuple(map(float, box[:4])),
                    f"{data.classes[int(box[5])]} {box[4]:.2f}",
                    TRUE if right[place] else WRONG,
                )
                for place, box in enumerate(boxes[index])
            ]
        )
    return Column(title, rows)
