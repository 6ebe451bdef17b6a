"""A task from a folder of images and annotations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdbench.errors import InputError
from kdbench.planning.drafting import coco_layout, effort, networks, voc_layout, yolo_layout
from kdbench.planning.drafting.draft import Draft, relative, task_name
from kdbench.planning.drafting.layout import Layout, folders, images_of
from kdbench.planning.drafting.look import keys_of, look, with_objects
from kdbench.planning.drafting.networks import Network
from kdbench.planning.drafting.splits import three_splits
from kdbench.planning.drafting.survey import Survey

FINDERS: tuple[Callable[[Path], Layout | None], ...] = (
    coco_layout.find,
    yolo_layout.find,
    voc_layout.find,
    yolo_layout.find_labels,
)
"""In the order in which they are asked: what says most comes first. A text beside an image may be anything."""


def draft_folder(
    root: Path,
    storage: Path,
    *,
    student: str | None,
    teacher: str | None,
    output: Path | None,
    gpu: bool,
    max_bad: float,
    say: Callable[[str], None],
) -> Draft:
    """Look at a folder and write a task for it. The data is prepared in the storage folder, where a search finds it.

    Args:
        student: small, r18, r50 or a config; None fits the machine.
        teacher: likewise.
        output: the task file that is going to be written.
        gpu: the machine has one.
        max_bad: the share of images that may be unreadable.
        say: is told what was found, line by line.

    Raises:
        InputError: nothing that is known lies there, or it cannot be used.
    """
    root = root.absolute()
    layout = find_layout(root)
    name = task_name(output.stem if output is not None else root.name)
    draft = Draft(f"Written by `kdbench task` from the folder {root.name}: {layout.what}.", output)
    given, classes = with_objects(layout, root, name, draft.notes)
    splits, how = three_splits(given)
    dataset = keys_of(layout.kind, name, classes, splits)
    found = look(draft, dataset, layout.what, storage, root, max_bad, say)
    pupil, master = pair(student, teacher, gpu=gpu)
    draft.notes += [*layout.notes, *pupil.notes, *master.notes]
    if found.masks and layout.kind == "coco":
        draft.notes.append(
            "the files have instance masks; dataset.masks=true uses them with a student that has a mask head"
        )
    _write(draft, dataset, how, found, pupil, master, gpu=gpu)
    folder = output.absolute().parent if output is not None else None
    draft.put(
        "data_root", relative(root, folder), "The folder of the data, from this file on; --data-root names another."
    )
    draft.put("name", name)
    draft.put("title", f"{root.name}, {master.what} to {pupil.what}")
    return draft


def find_layout(root: Path) -> Layout:
    """How a folder is laid out.

    Raises:
        InputError: no layout that is known; says what lies there.
    """
    for find in FINDERS:
        layout = find(root)
        if layout is not None:
            return layout
    names = [name for _, of_folder in folders(root) for name in of_folder]
    suffixes = sorted({Path(name).suffix.lower() for name in names} - {""})[:8]
    foreign = coco_layout.hint(root)
    raise InputError(
        f"{root}: no annotations that are known ({len(images_of(names))} images, files {', '.join(suffixes) or '(none)'}); it needs "
        f"XML files (VOC, labelImg), COCO's JSON (Roboflow, CVAT, Label Studio) or YOLO's data.yaml with labels{foreign}"
    )


def pair(student: str | None, teacher: str | None, *, gpu: bool) -> tuple[Network, Network]:
    """Student and teacher as they were asked for, else such as the machine trains in reasonable time."""
    wish = student or ("r18" if gpu else "small")
    pupil = networks.named(wish, "student") if wish in networks.SHORT else networks.of_config(wish)
    if teacher is not None:
        master = networks.named(teacher, "teacher") if teacher in networks.SHORT else networks.of_config(teacher)
    elif wish == "small":
        master = networks.named("small", "teacher")
    elif wish in networks.SHORT:
        master = networks.named({"r18": "r50", "r34": "r50"}.get(wish, "r101"), "teacher")
    else:
        master = networks.larger(pupil, wish)
    return pupil, master


def _write(
    draft: Draft, dataset: dict[str, Any], how: str, found: Survey, pupil: Network, master: Network, *, gpu: bool
) -> None:
    scale, why = effort.image_scale(found, gpu=gpu)
    if pupil.trained or master.trained:
        schedule, repeat, effort_why = effort.usual_schedule(found.images["train"], gpu=gpu)
    else:
        schedule, repeat, effort_why = effort.small_schedule(found.images["train"], scale)
    draft.put("dataset", {**dataset, **({"repeat": repeat} if repeat > 1 else {})}, f"Splits: {how}.")
    draft.put("pipeline", {"image_scale": list(scale), **({"workers": 2} if gpu else {})}, why)
    wise = "; its first weights are fetched once, `pretrained: false` begins from random ones" if pupil.trained else ""
    draft.put("student", pupil.spec, f"{pupil.what}{wise}.")
    draft.put(
        "teacher", master.spec, f"{master.what}. `--teacher FILE` takes weights that you have instead of training it."
    )
    draft.put("schedule", schedule, effort_why)
    draft.put("metric", "mAP", "What ranks: COCO's mAP; mAP_50 is kinder to small sets.")
    draft.put(
        "baseline",
        {"search": ["lr"], "trials": 3},
        "The student alone is tried with three learning rates: a fair baseline.",
    )
